"""The tables of a stage: its rows, its votes, and its labels. One stage is in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphs.engine import Receipt, Shard
from records.errors import ModelError
from records.folder import RunFolder, read_record, write_table
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
    script_output,
    tabulate_texts,
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

TOKENS = b"tokens"
"""The key of a table's metadata that says how many tokens its model read."""

EXTRA = {"features", "class_probs"}
"""The columns of an annotation that are only there where they were asked for."""


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


def answers_of(table: pa.Table, name: str) -> list[Answer]:
    """Return a column of answers that has no null, sets of labels as tuples."""
    return cast(list[Answer], _read_given(table[name]))


def write_shards(folder: Path, numbers: Sequence[int], texts: Sequence[RowText], shard_size: int) -> tuple[Path, ...]:
    """Write rows as shard files below `folder` and return them; shards that are there already are kept."""
    paths = []
    for first in range(0, len(numbers), shard_size):
        path = folder / f"rows-{first // shard_size:05d}.parquet"
        if not path.exists():
            part = slice(first, first + shard_size)
            write_table(path, tabulate_texts(numbers[part], texts[part]))
        paths.append(path)
    return tuple(paths)


def shards_for(inputs: Sequence[Path], model: str) -> tuple[Shard, ...]:
    """Return where one model's annotations of the given shard files go: beside them, in a folder of its name."""
    return tuple(Shard(input=path, output=path.parent / model / path.name) for path in inputs)


def merge_shards(shards: Sequence[Shard], space: LabelSpace) -> pa.Table:
    """Return one model's annotations of all shards, checked.

    Raises ModelError where they are not what the protocol says: the columns and types, the ids of the input in its
    order, labels of the task, probabilities (which sum to 1, but in a multi-label task), and finite hidden states. The
    schema's metadata holds the number of tokens read.
    """
    tokens = sum(read_record(shard.receipt, Receipt).tokens for shard in shards)
    tables = [script_output(len(space.labels), kind=_kind_of(space)).empty_table()] if not shards else []
    tables += [_read_annotations(shard, space) for shard in shards]
    try:
        return pa.concat_tables(tables).replace_schema_metadata({TOKENS: str(tokens)})
    except pa.ArrowException as error:
        raise _unfit(shards[0], f"has other columns than that of another shard: {error}") from error


def _kind_of(space: LabelSpace) -> Kind:
    """Return the kind of task that tables of answers are typed by; pairs of texts are labelled as texts are."""
    return "multi_label" if space.several else "single_label"


def _read_annotations(shard: Shard, space: LabelSpace) -> pa.Table:
    try:
        table = pq.read_table(shard.output)
        lists = {name: table.schema.field(name).type.list_size for name in EXTRA & set(table.column_names)}
        labels, kind = len(space.labels), _kind_of(space)
        schema = script_output(labels, lists.get("features"), kind, classes=lists.get("class_probs"))
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
        raise _unfit(shard, f"does not hold the columns of an annotation: {error}") from error
    if 0 in lists.values() or any(column.null_count for column in table.columns):
        raise _unfit(shard, "has a row without a value")
    _check_annotations(shard, table, space)
    return table


def _check_annotations(shard: Shard, table: pa.Table, space: LabelSpace) -> None:
    if not table["id"].equals(pq.read_table(shard.input, columns=["id"])["id"]):
        raise _unfit(shard, "has other ids than its input, or another order")
    probs = probs_of(table)
    if not (np.isfinite(probs) & (probs >= 0) & (probs <= 1.0 + 1e-3)).all():
        raise _unfit(shard, "has probabilities that are none")
    if not space.several and not np.allclose(probs.sum(axis=1), 1.0, atol=1e-3):
        raise _unfit(shard, "has probabilities that do not sum to 1")
    expected = [space.decode(code) for code in space.pick(probs).tolist()]
    if _read_given(table["label"]) != expected:
        what = "labels that are not those from 0.5 on" if space.several else "a label that is not the most probable one"
        raise _unfit(shard, f"has {what}")
    if "features" in table.column_names and not np.isfinite(features_of(table)).all():
        raise _unfit(shard, "has hidden states that are not finite")
    if "class_probs" in table.column_names and not np.isfinite(class_probs_of(table)).all():
        raise _unfit(shard, "has class probabilities that are not finite")


def _read_given(column: "pa.ChunkedArray[Any]") -> list[Answer | None]:
    """Return a column's answers as they are compared: sets of labels as tuples."""
    return [tuple(one) if isinstance(one, list) else one for one in cast(list[Any], column.to_pylist())]


def _unfit(shard: Shard, reason: str) -> ModelError:
    return ModelError(
        f"the annotations {shard.output.parent.name}/{shard.output.name} cannot be used: the file {reason}",
        next_step="The script that wrote it breaks the protocol; see its folder in scripts/.",
    )


def probs_of(table: pa.Table) -> Floats:
    """Return the probabilities (n_rows, n_labels) of a table of annotations."""
    return _as_matrix(table, "probs").astype(np.float64)


def features_of(table: pa.Table) -> npt.NDArray[np.float32]:
    """Return the hidden states (n_rows, n_features) of a table of annotations."""
    return _as_matrix(table, "features").astype(np.float32)


def class_probs_of(table: pa.Table) -> Floats:
    """Return the probabilities (n_rows, n_classes) of the model's own classes of a table of annotations."""
    return _as_matrix(table, "class_probs").astype(np.float64)


def _as_matrix(table: pa.Table, name: str) -> npt.NDArray[np.floating]:
    column: Any = table[name].combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), column.type.list_size)


def read_probs(folder: RunFolder, stage: int, models: Sequence[str]) -> Floats:
    """Return the probabilities (n_specialists, n_annotated, n_labels) of a stage; rows without a text are left out."""
    return np.stack([probs_of(pq.read_table(folder.votes(stage, model))) for model in models])


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
    return pa.table(columns, schema=stage_schema(_kind_of(space)))


def spread(values: Sequence[T], places: Integers, size: int) -> list[T | None]:
    """Return a list of `size` with the values at their places and None elsewhere."""
    result: list[T | None] = [None] * size
    for place, value in zip(places, values, strict=True):
        result[place] = value
    return result


def count_tokens(folder: RunFolder, stages: int, model: str) -> int:
    """Return how many tokens a specialist read to annotate the stages in which it voted."""
    votes = (folder.votes(stage, model) for stage in range(stages))
    metadata = (pq.read_schema(path).metadata for path in votes if path.exists())
    return sum(int(one[TOKENS]) for one in metadata)


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
