"""Renders the prompts of `agents/prompts/`: a name that a prompt uses and nobody gave is an error."""

import functools
import hashlib
import json
import re
from pathlib import Path

import jinja2
import jinja2.meta
from pydantic import BaseModel

from records.base import Record

PROMPTS = Path(__file__).parent / "prompts"
AGAIN = "again.jinja"
_CLOSING = re.compile(r"[\x7f-\x9f\u2028\u2029]|<(?=[^\s\d])")

_FRONT_MATTER = re.compile(r"\A\s*---\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)


class Prompt(Record):
    """What a role asks. `hash` is the sha256 of every template that a request of it may be made from: its own, those
    that they include, and the one that asks again."""

    role: str
    system: str
    request: str
    hash: str


def render_prompt(role: str, template: str = "request", **data: object) -> Prompt:
    """Return a role's prompt from its `system.jinja` and one other of its templates."""
    sources = (f"{role}/system.jinja", f"{role}/{template}.jinja")
    system, request = (_environment().get_template(source).render(**data).strip() for source in sources)
    return Prompt(role=role, system=system, request=request, hash=_hash_of(*sources, AGAIN))


def render_again(problem: str) -> str:
    """Return the request to repair a reply that could not be used."""
    return _environment().get_template(AGAIN).render(problem=problem).strip()


def find_sources(*names: str, folder: Path = PROMPTS) -> tuple[str, ...]:
    """Return these templates and all that they include, import or extend, in alphabetical order.

    Raises ValueError for a template that is named by an expression: no hash could cover it.
    """
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        tree = jinja2.Environment(autoescape=True).parse((folder / name).read_text(encoding="utf-8"))
        for referenced in jinja2.meta.find_referenced_templates(tree):
            if referenced is None:
                raise ValueError(f"{name} includes a template by an expression; name it literally")
            left.append(referenced)
    return tuple(sorted(found))


def hash_templates(*names: str, folder: Path = PROMPTS) -> str:
    """Return the sha256 of these templates and of all that they include."""
    sources = {name: (folder / name).read_text(encoding="utf-8") for name in find_sources(*names, folder=folder)}
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def shorten(text: str, length: int) -> str:
    """Return at most `length` characters of a text, with a mark where it was cut."""
    return text if len(text) <= length else f"{text[:length]} […]"


def show_card(card: str, length: int) -> str:
    """Return the beginning of a card's own words, without the metadata that stands before them in YAML."""
    return shorten(_FRONT_MATTER.sub("", card, count=1).strip(), length)


_hash_of = functools.cache(hash_templates)
"""The shipped templates do not change while the program runs."""


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROMPTS),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (prompts are no HTML; strangers' text enters them through `json`)
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = _to_json
    return environment


def _to_json(value: object) -> str:
    """One line of JSON: whatever a text holds stays between its quotation marks.

    What would end a line for some readers is escaped, and the start of a mark-up (`<|im_end|>`, `</s>`), which a
    server may read as the end of the message. `<3` and `a < b` stay as they are.
    """
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises the error that names it, which the JSON encoder would not
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return _CLOSING.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(plain, ensure_ascii=False))
