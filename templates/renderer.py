"""The one renderer: scripts and pages from the Jinja templates of this folder.

Code and data never mix. Data enters a script as a JSON text inside a Python string literal (`json_literal`), so
that nothing in a row, a card or a label can become code. Only `preprocess` and `read_logits` are code; where both
are None a script is the template's default, and `are_default_scripts` can prove it byte for byte.
"""

import functools
import hashlib
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import jinja2
from jinja2 import meta
from pydantic import Field

from records.base import Record
from templates.report import (
    ReportData,
    format_count,
    format_dollars,
    format_parameters,
    format_percent,
    plot_stages,
    shorten,
)

TEMPLATES = Path(__file__).parent


class Rendered(Record):
    """A rendered template. `template_hash` is the sha256 of the template and of every template it includes."""

    text: str
    template_hash: str


class Hyperparameters(Record):
    """How a fine-tune script trains: LoRA of this `rank` and scale (`alpha`), few steps at a small rate.

    The model's own dropout stays on; the adapters have none, which saves a fifth of the time.
    """

    epochs: int = Field(default=3, ge=1, le=10)
    batch_size: int = Field(default=16, ge=1, le=64)
    learning_rate: float = Field(default=1e-3, ge=1e-6, le=1e-2)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    rank: int = Field(default=8, ge=1, le=64)
    alpha: int = Field(default=16, ge=1, le=128)
    max_tokens: int = Field(default=256, ge=8, le=512)
    """Longer rows are cut while training and measuring; tokens."""


class Example(Record):
    """A row for the generated test: an obvious one has a `label`, any other need only be answered.

    The texts are repeated `repeat` times; `why` says what is tried with it.
    """

    text: str
    text_pair: str | None = None
    label: str | None = None
    repeat: int = Field(default=1, ge=1, le=2000)
    why: str = ""


class CaseRows(Record):
    """The rows of a generated test: `examples` of the task, and `cases` that were thought of for one model."""

    examples: tuple[Example, ...] = ()
    cases: tuple[Example, ...] = ()


def render_annotate(
    label_map: Mapping[int, str | None], *, preprocess: str | None = None, read_logits: str | None = None
) -> Rendered:
    """Return `annotate.py`. `label_map` maps class index → task label; the two bodies None: the defaults."""
    return _render("scripts/annotate.py.jinja", label_map=label_map, preprocess=preprocess, read_logits=read_logits)


def render_finetune(
    label_map: Mapping[int, str | None],
    *,
    preprocess: str | None = None,
    read_logits: str | None = None,
    hyperparameters: Hyperparameters | None = None,
) -> Rendered:
    """Return `finetune.py`, which reads texts and logits as the `annotate.py` of the same parts does."""
    return _render(
        "scripts/finetune.py.jinja",
        label_map=label_map,
        preprocess=preprocess,
        read_logits=read_logits,
        hyperparameters=(hyperparameters or Hyperparameters()).model_dump(mode="json"),
    )


def render_test(label_map: Mapping[int, str | None], rows: CaseRows, *, whole: bool = False) -> Rendered:
    """Return `test_annotate.py`, which tests the `annotate.py` beside it on the real model and these rows, by its
    protocol alone; `whole`: that script is no template's, so its use by hand is tested too."""
    return _render(
        "scripts/test_annotate.py.jinja",
        classes=len(label_map),
        covered=sorted({label for label in label_map.values() if label is not None}),
        examples=[example.model_dump() for example in rows.examples],
        cases=[case.model_dump() for case in rows.cases],
        whole=whole,
    )


def are_default_scripts(scripts: Mapping[str, str], label_map: Mapping[int, str | None], rows: CaseRows) -> bool:
    """Return whether `scripts` (file name → text) are byte for byte what the templates render from their defaults.

    Then they hold no code from a language model, a card or a row: all that differs is JSON-escaped data.
    """
    expected = {
        "annotate.py": render_annotate(label_map).text,
        "finetune.py": render_finetune(label_map).text,
        "test_annotate.py": render_test(label_map, rows).text,
    }
    return dict(scripts) == expected


def render_report(report: ReportData) -> Rendered:
    """Return `report.html`: one self-contained page; every text in `report` is escaped."""
    return _render("report.html.jinja", report=report)


def json_literal(data: object) -> str:
    """Return `data` as an ASCII Python string literal that holds its JSON text.

    Raises TypeError or ValueError where it is not JSON (NaN and infinities included).
    """
    return repr(json.dumps(data, ensure_ascii=True, allow_nan=False))


def indent_code(code: str) -> str:
    """Return a function's body, given at any depth, at a depth of four spaces."""
    # Not textwrap.indent: it takes a form feed or U+2028 within a string for the end of a line.
    lines = textwrap.dedent(code).strip("\n").split("\n")
    return "\n".join(f"    {line}" if line.strip() else line for line in lines)


@functools.cache
def make_environment() -> jinja2.Environment:
    """Return the environment of all templates: strict, and escaping in pages only."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.jinja",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        json_literal=json_literal,
        indent_code=indent_code,
        percent=format_percent,
        count=format_count,
        dollars=format_dollars,
        parameters=format_parameters,
        plot=plot_stages,
        shorten=shorten,
        capitalize_first=lambda text: text[:1].upper() + text[1:],
    )
    return environment


def _render(template: str, **data: object) -> Rendered:
    text = make_environment().get_template(template).render(**data)
    return Rendered(text=text, template_hash=_hash_template(template))


@functools.cache
def _hash_template(template: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(_collect_sources(template)):
        digest.update((TEMPLATES / name).read_bytes())
    return digest.hexdigest()


def _collect_sources(template: str) -> set[str]:
    tree = make_environment().parse((TEMPLATES / template).read_text(encoding="utf-8"))
    included = {name for name in meta.find_referenced_templates(tree) if name is not None}
    return {template}.union(*(_collect_sources(name) for name in included))
