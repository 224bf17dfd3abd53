"""What a reviewer with a language model is asked: the rows as lines of JSON under ids that nobody can guess."""

import base64
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.base import KnownRow, ReviewRow
from agents.prompting import Prompt, render_prompt, shorten
from agents.review_replies import ReplyForm, write_example
from records.task import CANNOT_TELL, LabelSpec, TaskSpec

LONGEST_TEXT = 4000
"""Characters of a text that a language model is shown."""
LONGEST_EXAMPLE = 600
"""Characters of the text of an example."""
ID_LENGTH = 6
ROW_START = '{"id": "'


def make_ids(rows: Sequence[ReviewRow], seed: int) -> tuple[str, ...]:
    """Return a short id for each row of one request, all different, of the letters a to z and the digits 2 to 7.

    They are the same whenever the same rows are asked about together, so that a resumed run sends the same request.
    They hang on all its rows and texts: whoever wrote one of the texts cannot name the id of another.
    """
    told = [seed, [(row.row, row.text, row.text_pair) for row in rows]]
    key = hashlib.sha256(json.dumps(told).encode()).digest()
    ids: dict[str, None] = {}
    for number in itertools.count():
        if len(ids) == len(rows):
            break
        digest = hashlib.sha256(key + number.to_bytes(4)).digest()
        ids[base64.b32encode(digest).decode().lower()[:ID_LENGTH]] = None
    return tuple(ids)


def render_review(
    task: TaskSpec, form: ReplyForm, ids: Sequence[str], rows: Sequence[ReviewRow], examples: Sequence[KnownRow] = ()
) -> Prompt:
    """Return the prompt that asks for the labels of rows; votes are shown where the rows have them."""
    return render_prompt("reviewer", **describe_review(task, form, ids, rows, examples))


def describe_review(
    task: TaskSpec, form: ReplyForm, ids: Sequence[str], rows: Sequence[ReviewRow], examples: Sequence[KnownRow] = ()
) -> dict[str, Any]:
    """Return what the prompt is rendered with."""
    return {
        "sentence": task.sentence,
        "pair": task.kind == "text_pair",
        "several": form.several,
        "columns": task.text_columns,
        "language": task.language,
        "domain": task.domain,
        "labels": [_show_label(label) for label in task.labels],
        "guidelines": task.guidelines,
        "edge_cases": task.edge_cases,
        "examples": [_show_example(example, form) for example in examples],
        "rows": [_show_row(key, row) for key, row in zip(ids, rows, strict=True)],
        "votes": any(row.votes for row in rows),
        "thoughts": form.thoughts,
        "reasons": form.reasons,
        "cannot_tell": CANNOT_TELL,
        "form": write_example(form, len(rows)),
    }


@dataclass(frozen=True)
class ReviewLength:
    """A prompt's bytes in UTF-8 without its rows (`fixed`), its rows, and their bytes."""

    fixed: int
    rows: int
    row_bytes: int


def measure_review(messages: Sequence[str]) -> ReviewLength | None:
    """Return how long the messages of a request to the reviewer are; None where it is not the first about its rows."""
    if len(messages) != 2:
        return None
    # A row is a line of JSON that begins with its id, and nothing else in the prompt does.
    lines = [line for line in messages[1].split("\n") if line.startswith(ROW_START)]
    row_bytes = sum(len(line.encode()) + 1 for line in lines)
    total = sum(len(message.encode()) for message in messages)
    return ReviewLength(fixed=total - row_bytes, rows=len(lines), row_bytes=row_bytes) if lines else None


def _show_label(label: LabelSpec) -> dict[str, Any]:
    if label.example_pair:
        example: dict[str, Any] = {"example": {"text_a": label.example, "text_b": label.example_pair}}
    else:
        example = {"example": label.example} if label.example else {}
    return {"label": label.name, **({"definition": label.definition} if label.definition else {}), **example}


def _show_row(key: str, row: ReviewRow) -> dict[str, Any]:
    votes = {"votes": row.votes} if row.votes else {}
    return {"id": key, **_show_texts(row.text, row.text_pair, LONGEST_TEXT), **votes}


def _show_example(example: KnownRow, form: ReplyForm) -> dict[str, Any]:
    decided = {"labels": example.labels} if form.several else {"label": example.labels[0]}
    return {**_show_texts(example.text, example.text_pair, LONGEST_EXAMPLE), **decided}


def _show_texts(text: str, text_pair: str | None, length: int) -> dict[str, str]:
    if text_pair is None:
        return {"text": shorten(text, length)}
    return {"text_a": shorten(text, length), "text_b": shorten(text_pair, length)}
