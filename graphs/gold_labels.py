"""The labels that a person gives in a gold file, as answers of the task: one label a row, or a set of them."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from records.errors import DataError
from records.rows import Answer
from records.task import TaskSpec

NO_LABELS = "[]"
"""How a table of text says of a row that it has none of the labels; an empty cell says that nothing is known."""
_SEPARATORS = (";", "|", ",")
"""Of a set of labels in a cell of text: the first of these that stands in it."""


def match_labels(path: Path, keys: Sequence[str], given: Sequence[str], task: TaskSpec) -> dict[str, Answer]:
    """Return key → the task's label or labels, rows without any left out.

    In a multi-label task a cell is a list in JSON, or labels with one of _SEPARATORS between them. Raises DataError
    where a label is not the task's, or two rows contradict each other.
    """
    known = {label.casefold(): label for label in task.label_names}
    labels: dict[str, Answer] = {}
    first: dict[str, int] = {}
    for number, (key, cell) in enumerate(zip(keys, given, strict=True)):
        if not cell.strip() and task.gold_sample == "random":
            raise DataError(
                str(path), f"row {number}: it has no label, and a random sample without some of its rows is none",
                next_step="Label every row of it, or leave gold_sample out of task.yaml.",
            )  # fmt: skip
        if not cell.strip():
            continue
        answer = _read_cell(path, number, cell.strip(), known, several=task.kind == "multi_label")
        if labels.setdefault(key, answer) != answer:
            raise DataError(
                str(path), f"rows {first[key]} and {number} are of one text or id, and have different labels: "
                f"{_tell(labels[key])} and {cell.strip()[:100]!r}",
                next_step="Keep the row that is right, or empty the labels of both.",
            )  # fmt: skip
        first.setdefault(key, number)
    return labels


def _read_cell(path: Path, number: int, cell: str, known: Mapping[str, str], *, several: bool) -> Answer:
    """Return what a cell says; of several labels in the task's order."""
    parts = _split_cell(cell, known) if several else [cell]
    for part in parts:
        if part.casefold() not in known:
            none = f", or write {NO_LABELS} for none of them" if several else ""
            raise DataError(
                str(path), f"row {number}: the label {part[:100]!r} is none of the task's",
                next_step=f"The labels are {', '.join(known.values())}; leave it empty where none is known{none}.",
            )  # fmt: skip
    said = {known[part.casefold()] for part in parts}
    return tuple(label for label in known.values() if label in said) if several else known[cell.casefold()]


def _split_cell(cell: str, known: Mapping[str, str]) -> list[str]:
    """Return the labels in a cell as they are written: one that is a label is no list of others."""
    if cell.casefold() in known:
        return [cell]
    if cell.startswith("["):
        try:
            listed = json.loads(cell)
        except (ValueError, RecursionError):
            return [cell]
        return [str(one).strip() for one in listed]
    separator = next((one for one in _SEPARATORS if one in cell), None)
    parts = [cell] if separator is None else re.split(re.escape(separator), cell)
    return [part.strip() for part in parts if part.strip()]


def _tell(answer: Answer) -> str:
    return repr(answer) if isinstance(answer, str) else repr("; ".join(answer) or NO_LABELS)
