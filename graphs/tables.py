"""The tables of a stage: its rows, its votes, and its labels. One stage is in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphs.annotations import kind_of
from records.folder import RunFolder
from records.readers.importing import iterate_shards
from records.rows import (
    INPUT_TEXTS,
    ROW,
    ROW_ID,
    Answer,
    RowText,
    answer_type,
    label_columns,
    read_row_texts,
)
from records.task import CANNOT_TELL, Kind
from specialists.arrays import Booleans, Floats, Integers
from specialists.label_space import LabelSpace
from specialists.risk import estimate_risk
from specialists.vote import VoteResult

T = TypeVar("T")

VOTED = "__voted__"
"""The voted label, in the stage tables only: what a review may have changed."""

OPINION, DIFFERS = "__opinion__", "__differs__"
"""In the stage tables only, where the vote is calibrated: the specialists' pooled probabilities and then the head's
scores, from which a later answer is weighed; and the probability that a reviewer gives another label."""


def stage_schema(kind: Kind = "single_label") -> pa.Schema:
    """Return the schema of a stage's label table."""
    hidden: dict[str, pa.DataType] = {
        ROW: pa.int64(),
        ROW_ID: pa.string(),
        VOTED: answer_type(kind),
        OPINION: pa.list_(pa.float64()),
        DIFFERS: pa.float64(),
    }
    return pa.schema([*hidden.items(), *label_columns(kind).items()])


STAGE_LABELS = stage_schema()
"""That of a task with one label a text."""


@dataclass(frozen=True)
class StageRows:
    """The rows of one stage: internal number, id and text, each (n_rows,); `empty` marks those without a text."""

    number: Integers
    row_id: list[str]
    text: list[RowText]

    @property
    def empty(self) -> Booleans:
        return np.array([text.is_empty for text in self.text], dtype=np.bool_)


def read_stage_rows(folder: RunFolder, stage: int, stage_size: int, shard_size: int) -> StageRows:
    """Return the rows of a stage."""
    columns = [ROW, ROW_ID, *INPUT_TEXTS]
    table = pa.concat_tables(iterate_shards(folder.input, stage * stage_size, stage_size, shard_size, columns))
    return StageRows(
        number=table[ROW].to_numpy().astype(np.int64),
        row_id=strings_of(table, ROW_ID),
        text=read_row_texts(table, INPUT_TEXTS),
    )


def strings_of(table: pa.Table, name: str) -> list[str]:
    """Return a column of strings that has no null."""
    return cast(list[str], table[name].to_pylist())


def tabulate_vote(
    rows: StageRows, probs: Floats, vote: VoteResult, *, stage: int, space: LabelSpace, models: Sequence[str]
) -> pa.Table:
    """Return the label table of a stage as voted; a row without a text has no label and says so.

    `probs` (n_specialists, n_annotated, n_labels) and `vote` are of the rows that have a text.
    """
    filled = np.flatnonzero(~rows.empty)
    voted = spread([space.decode(code) for code in vote.label.tolist()], filled, len(rows.text))
    ballots = [
        [(model, space.decode(code)) for model, code in zip(models, column, strict=True)]
        for column in space.pick(probs).T.tolist()
    ]
    empty = "the row has no text"
    columns = {
        ROW: rows.number,
        ROW_ID: rows.row_id,
        VOTED: voted,
        OPINION: [None] * len(rows.text),
        DIFFERS: [None] * len(rows.text),
        "label": voted,
        "confidence": spread(vote.confidence.tolist(), filled, len(rows.text)),
        "source": ["vote" if label is not None else None for label in voted],
        "agreement": spread(vote.agreement.tolist(), filled, len(rows.text)),
        "votes": spread(ballots, filled, len(rows.text)),
        "risk": spread(estimate_risk(vote).tolist(), filled, len(rows.text)),
        "stage": [stage] * len(rows.text),
        "review_label": [None] * len(rows.text),
        "review_failed": [False] * len(rows.text),
        "copied_from": [None] * len(rows.text),
        "reason": [None if label is not None else empty for label in voted],
    }
    return pa.table(columns, schema=stage_schema(kind_of(space)))


def spread(values: Sequence[T], places: Integers, size: int) -> list[T | None]:
    """Return a list of `size` with the values at their places and None elsewhere."""
    result: list[T | None] = [None] * size
    for place, value in zip(places, values, strict=True):
        result[place] = value
    return result


def read_stage_labels(folder: RunFolder, stage: int) -> pa.Table:
    """Return the label table of a stage."""
    return pq.read_table(folder.stage_labels(stage))


def read_answer(review_label: str | Sequence[str] | None) -> Answer | None:
    """Return the answer in a value of the column `review_label`: None where no reviewer gave one, or it cannot tell."""
    if review_label is None or isinstance(review_label, str):
        return None if review_label == CANNOT_TELL else review_label
    return None if CANNOT_TELL in review_label else tuple(review_label)


def read_texts(folder: RunFolder, numbers: Sequence[int], shard_size: int) -> list[RowText]:
    """Return the texts of rows by their internal numbers, in the order asked for."""
    return _read_rows(folder, INPUT_TEXTS, numbers, shard_size, lambda table: read_row_texts(table, INPUT_TEXTS))


def read_row_ids(folder: RunFolder, numbers: Sequence[int], shard_size: int) -> list[str]:
    """Return the ids of rows by their internal numbers, in the order asked for."""
    return _read_rows(folder, [ROW_ID], numbers, shard_size, lambda table: strings_of(table, ROW_ID))


def _read_rows(
    folder: RunFolder,
    columns: Sequence[str],
    numbers: Sequence[int],
    shard_size: int,
    read: Callable[[pa.Table], list[T]],
) -> list[T]:
    found: dict[int, T] = {}
    for first in sorted({number // shard_size * shard_size for number in numbers}):
        for part in iterate_shards(folder.input, first, shard_size, shard_size, columns=[ROW, *columns]):
            wanted = part.filter(pc.is_in(part[ROW], pa.array(numbers, pa.int64())))
            found.update(zip(cast(list[int], wanted[ROW].to_pylist()), read(wanted), strict=True))
    return [found[number] for number in numbers]


def find_filled_rows(folder: RunFolder, rows: int, shard_size: int) -> Integers:
    """Return the numbers of the rows that have a text, in ascending order."""
    parts = iterate_shards(folder.input, 0, rows, shard_size, columns=[ROW, *INPUT_TEXTS])
    return np.concatenate([part[ROW].to_numpy()[_are_filled(part)] for part in parts]).astype(np.int64)


def _are_filled(part: pa.Table) -> Booleans:
    texts = [part[name] for name in INPUT_TEXTS if name in part.column_names]
    return np.any([pc.not_equal(text, pa.scalar("")).to_numpy() for text in texts], axis=0)


def read_first_texts(folder: RunFolder, count: int) -> list[RowText]:
    """Return the first `count` rows' texts, those without a text left out."""
    table = pa.concat_tables(iterate_shards(folder.input, 0, count, count))
    return [text for text in read_row_texts(table, INPUT_TEXTS)[:count] if not text.is_empty]
