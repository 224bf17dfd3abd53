"""The attempts at a model's scripts, each a folder that appears whole and is never changed but by test and verdict."""

import difflib
from pathlib import Path
from typing import Literal

from agents.base import Failure, ModelCases, ScriptParts, Verdict
from graphs.context import RunContext
from graphs.tables import read_first_texts
from records.base import Record
from records.folder import read_record, write_json, write_text, written_whole
from records.task import TaskSpec
from sandbox.base import Cause
from templates.renderer import CaseRows, Example, Rendered, render_annotate, render_finetune, render_test

TEST_ROWS = 8
"""Rows of the task that every script is tested on."""


class Attempt(Record):
    """`attempt.json`: what one attempt at a model's scripts was made from. The scripts lie beside it."""

    version: Literal[1] = 1
    parts: ScriptParts
    fallback: bool = False
    """Whether it is the template as it is, after what a coder wrote was refused."""
    rows: CaseRows
    cases_prompt_hash: str = ""
    template_hashes: dict[str, str]
    """Script name → sha256 of its template; a script that was written whole has none."""


class TestResult(Record):
    """`test_result.json`: how the generated test of an attempt ended."""

    version: Literal[1] = 1
    cause: Cause
    sandbox: str
    output: str
    """Its first and last 2,000 characters, without what differs between two runs of the same."""
    errors: tuple[str, ...] = ()
    """What of the whole output tells of an error; empty where the test passed."""

    @property
    def passed(self) -> bool:
        return self.cause == "ok"


def read_attempt(context: RunContext, slug: str, number: int) -> Attempt:
    """Return what an attempt was made from."""
    return read_record(context.folder.attempt(slug, number) / "attempt.json", Attempt)


def read_result(context: RunContext, slug: str, number: int) -> TestResult:
    """Return how an attempt's test ended."""
    return read_record(context.folder.attempt(slug, number) / "test_result.json", TestResult)


def read_failure(context: RunContext, slug: str, number: int) -> Failure:
    """Return what a coder is told of an attempt that was refused."""
    return Failure(
        parts=read_attempt(context, slug, number).parts,
        output=read_result(context, slug, number).output,
        reasons=read_record(context.folder.attempt(slug, number) / "verdict.json", Verdict).reasons,
    )


def render_script(parts: ScriptParts) -> str:
    """Return the annotate.py of these parts."""
    if parts.script is not None:
        return parts.script
    code = {"preprocess": parts.preprocess, "read_logits": parts.read_logits}
    return render_annotate(parts.label_map.classes, **code).text


def find_same(context: RunContext, slug: str, parts: ScriptParts, before: int) -> int | None:
    """Return the first attempt before number `before` with the very annotate.py of these parts, or None."""
    script = render_script(parts)
    paths = {number: context.folder.attempt(slug, number) / "annotate.py" for number in range(1, before)}
    return next((n for n, path in paths.items() if path.read_text(encoding="utf-8") == script), None)


def gather_rows(context: RunContext, task: TaskSpec, cases: ModelCases, *, guessed: bool) -> CaseRows:
    """Return the rows of a test: the labels' examples, the task's first rows, and the cases of the model. Where its
    label map is `guessed`, no row's label is expected."""
    examples = [
        Example(text=label.example, text_pair=label.example_pair or None, label=None if guessed else label.name)
        for label in task.labels
        if label.example
    ]
    examples += [Example(**text._asdict()) for text in read_first_texts(context.folder, TEST_ROWS)]
    own = tuple(case.model_copy(update={"label": None}) for case in cases.cases) if guessed else cases.cases
    return CaseRows(examples=tuple(examples), cases=own)


def write_attempt(context: RunContext, slug: str, number: int, attempt: Attempt, cases: ModelCases | None) -> None:
    """Write an attempt's folder: the scripts, what they were made from, and how they differ from the one before.

    `cases` are the test writer's, where it was asked for this attempt.
    """
    parts, rendered = attempt.parts, _render_scripts(attempt)
    hashes = {name: one.template_hash for name, one in rendered.items() if one.template_hash}
    with written_whole(context.folder.attempt(slug, number)) as folder:
        folder.mkdir()
        for name, one in rendered.items():
            (folder / name).write_text(one.text, encoding="utf-8")
        write_json(folder / "attempt.json", attempt.model_copy(update={"template_hashes": hashes}))
        if parts.reply:
            write_text(folder / "prompt.md", parts.prompt)
            write_text(folder / "reply.md", parts.reply)
        if cases is not None and cases.reply:
            write_text(folder / "cases_prompt.md", cases.prompt)
            write_text(folder / "cases_reply.md", cases.reply)
        if number > 1:
            write_text(folder / "parent.diff", _diff(context.folder.attempt(slug, number - 1), rendered))


def _render_scripts(attempt: Attempt) -> dict[str, Rendered]:
    parts, classes, rows = attempt.parts, attempt.parts.label_map.classes, attempt.rows
    if parts.script is not None:
        return {
            "annotate.py": Rendered(text=parts.script, template_hash=""),
            "test_annotate.py": render_test(classes, rows, whole=True),
        }
    code = {"preprocess": parts.preprocess, "read_logits": parts.read_logits}
    return {
        "annotate.py": render_annotate(classes, **code),
        "finetune.py": render_finetune(classes, **code, hyperparameters=parts.hyperparameters),
        "test_annotate.py": render_test(classes, rows),
    }


def _diff(parent: Path, rendered: dict[str, Rendered]) -> str:
    lines: list[str] = []
    for name in sorted({*rendered, *(path.name for path in parent.glob("*.py"))}):
        path = parent / name
        before = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        after = rendered[name].text.splitlines(keepends=True) if name in rendered else []
        lines += difflib.unified_diff(before, after, f"parent/{name}", name)
    return "".join(lines)
