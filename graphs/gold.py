"""Rows whose true labels the person gave: read, found in the data, and written down as reviews before any other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graphs.annotations import answers_of
from graphs.context import RunContext
from graphs.gold_labels import match_labels
from graphs.reviewing import GOLD_STEP
from graphs.tables import read_row_ids, strings_of
from records.errors import DataError
from records.events import Noticed
from records.folder import RunFolder, write_table
from records.readers.importing import import_rows, iterate_shards, take_texts
from records.readers.inspection import inspect_file
from records.readers.values import as_text
from records.review_book import BookedReview, key_of_row, key_of_text
from records.rows import (
    INPUT_TEXTS,
    ROW,
    ROW_ID,
    Answer,
    RowText,
    Source,
    answer_type,
    make_review,
    read_row_texts,
)
from records.task import Kind, TaskSpec

LABEL_COLUMN = "label"


def held_schema(kind: Kind = "single_label") -> pa.Schema:
    """Return the schema of the gold rows that are set aside."""
    return pa.schema([("row", pa.int64()), ("label", answer_type(kind))])


HELD = held_schema()
HELD_SALT = 0x601D
"""Sets the draw of the gold rows that certify apart from all others that the run makes with its seed."""
Booked = tuple[str, BookedReview]
"""The key of a row's text, and its label as a review."""


def book_gold(context: RunContext, task: TaskSpec, rows: int) -> None:
    """Write down the label of every row of the data that the gold file knows, by its id or else by its text.

    Raises DataError where the file has no column `label`, none to find its rows by, a label that is not the task's,
    or no row of the data.
    """
    if context.settings.gold is None:
        return
    path = Path(context.settings.gold)
    labels, by_id = _read_gold(context, path, task)
    booked, found, columns = [], set[str](), [ROW, ROW_ID, *INPUT_TEXTS]
    for part in iterate_shards(context.folder.input, 0, rows, context.settings.shard_size, columns=columns):
        ids, texts = strings_of(part, ROW_ID), read_row_texts(part, INPUT_TEXTS)
        keys = ids if by_id else [key_of_text(*text) for text in texts]
        for number, row_id, text, key in zip(part[ROW].to_numpy().tolist(), ids, texts, keys, strict=True):
            if key in labels and not text.is_empty:
                found.add(key)
                review = make_review(number, labels[key], source="gold")
                one = BookedReview(step=GOLD_STEP, row_id=row_id, review=review, inclusion=min(1.0, len(labels) / rows))
                booked.append((key_of_text(*text), one))
    if not booked:
        raise DataError(
            str(path),
            f"none of its {len(labels)} labelled rows is a row of the data, looked for by {'id' if by_id else 'text'}",
            next_step="Give rows of the same file, with its ids or its texts.",
        )
    _check_texts(path, booked)
    if task.gold_sample == "random":
        _check_sample(path, [key for key, _ in booked], len(found))
        booked = _set_aside(context, booked, task)
    context.reviews.record([key for key, _ in booked], [one for _, one in booked])
    lost = f"; {len(labels) - len(found):,} are not in the data" if len(found) < len(labels) else ""
    context.emit(Noticed(message=f"{len(found):,} of the {len(labels):,} gold rows were found{lost}."))


def _check_texts(path: Path, booked: Sequence[Booked]) -> None:
    """Raise DataError where gold rows of one text have different labels: a text has one review, and one label."""
    first: dict[str, BookedReview] = {}
    for key, one in booked:
        before = first.setdefault(key, one)
        if before.review.answer != one.review.answer:
            raise DataError(
                str(path), f"the rows {before.row_id} and {one.row_id} have one text, but for white space and case, "
                f"and different labels: {before.review.answer!r} and {one.review.answer!r}",
                next_step="Give both the label that is right, or leave the labels of both empty.",
            )  # fmt: skip


def _check_sample(path: Path, keys: Sequence[str], found: int) -> None:
    """Raise DataError where gold rows that are declared a random sample are not one row of the data each."""
    if len(keys) != found:
        raise DataError(
            str(path), f"its {found} labelled rows are {len(keys)} rows of the data, and a random sample has each once",
            next_step="Give both files a column id that no two rows share, or leave gold_sample out of task.yaml.",
        )  # fmt: skip


def _set_aside(context: RunContext, booked: Sequence[Booked], task: TaskSpec) -> list[Booked]:
    """Keep the labels of a random half of the gold rows from everything but the audit; return the other half.

    The rows themselves are treated as any row whose label nobody gave, so that the half is a uniform sample of these.
    """
    rng = np.random.default_rng((HELD_SALT, context.settings.seed))
    held = set(rng.permutation(len(booked))[: len(booked) // 2].tolist())
    reviews = [one.review for index, (_, one) in enumerate(booked) if index in held]
    schema = held_schema(task.kind)
    table = pa.table({"row": [one.row for one in reviews], "label": [one.answer for one in reviews]}, schema=schema)
    write_table(_held_file(context.folder), table)
    context.emit(Noticed(message=f"{len(held):,} gold rows are set aside to certify."))
    return [one for index, one in enumerate(booked) if index not in held]


def _held_file(folder: RunFolder) -> Path:
    return folder.audits / "gold.parquet"


def read_held_gold(folder: RunFolder) -> dict[int, Answer]:
    """Return row number → label or labels of the gold rows set aside to certify; empty where there are none."""
    if not _held_file(folder).exists():
        return {}
    table = pq.read_table(_held_file(folder))
    return dict(zip(table["row"].to_numpy().tolist(), answers_of(table, "label"), strict=True))


def book_rows(context: RunContext, step: int, labels: Mapping[int, Answer], source: Source) -> None:
    """Write down labels of rows by their numbers, each for its own row alone: people may label the same text
    differently."""
    ids = read_row_ids(context.folder, list(labels), context.settings.shard_size)
    booked = [
        BookedReview(step=step, row_id=row_id, review=make_review(number, label, source=source))
        for (number, label), row_id in zip(labels.items(), ids, strict=True)
    ]
    context.reviews.record([key_of_row(number) for number in labels], booked)


def _read_gold(context: RunContext, path: Path, task: TaskSpec) -> tuple[dict[str, Answer], bool]:
    """Return key of a row → its label or labels, and whether the keys are ids, not texts."""
    target, shard_size = context.folder.path / "gold.parquet", context.settings.shard_size
    names, table, given = read_labelled(path, target, task, shard_size=shard_size)
    by_id = "id" in names and _has_ids(context)
    if not by_id and (missing := [one for one in task.text_columns if one not in table.column_names]):
        raise DataError(
            str(path), f"its rows cannot be found in the data: no common column id, and no {' and '.join(missing)}",
            next_step=f"Give the column id, or {' and '.join(task.text_columns)}, as the data has it.",
        )  # fmt: skip
    keys = strings_of(table, ROW_ID) if by_id else [key_of_text(*text) for text in _take_texts(table, task)]
    return match_labels(path, keys, given, task), by_id


def read_labelled(
    path: Path, target: Path, task: TaskSpec, *, shard_size: int
) -> tuple[dict[str, str], pa.Table, list[str]]:
    """Return the names of a labelled file's columns by their lower case, its rows, read into `target`, and the label of
    each as text. Raises DataError where it has no column `label`, or no label in it."""
    names = {column.name.casefold(): column.name for column in inspect_file(path).columns}
    if LABEL_COLUMN not in names:
        raise DataError(
            str(path), f"it has no column {LABEL_COLUMN!r}: its columns are {', '.join(names.values())}",
            next_step=f"Call the column with the true labels {LABEL_COLUMN!r}.",
        )  # fmt: skip
    imported = import_rows(path, target, text_columns=(), shard_size=shard_size)
    table = pq.read_table(target)
    return names, table, _read_labels(path, table, imported.renamed.get(names[LABEL_COLUMN], names[LABEL_COLUMN]), task)


def _read_labels(path: Path, table: pa.Table, column: str, task: TaskSpec) -> list[str]:
    """Return each row's label as text, stars too; empty where it has none. Raises DataError where none has one."""
    given = ["" if value is None else as_text(value) for value in table[column].to_pylist()]
    if not any(map(str.strip, given)):
        raise DataError(
            str(path), f"its column {LABEL_COLUMN!r} has no label in any of its {len(given)} rows",
            next_step=f"Write the true labels of some rows there: {', '.join(task.label_names)}.",
        )  # fmt: skip
    return given


def _has_ids(context: RunContext) -> bool:
    return any(name.casefold() == "id" for name in pq.read_schema(context.folder.input).names)


def _take_texts(table: pa.Table, task: TaskSpec) -> list[RowText]:
    columns = [[str(value or "") for value in table[name].to_pylist()] for name in task.text_columns]
    return take_texts(columns, task.kind)
