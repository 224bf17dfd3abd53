"""What the specialists' scripts read and write: shard files of rows, and the annotations of these, checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from graphs.engine import Receipt, Shard
from records.errors import ModelError
from records.folder import RunFolder, read_record, write_table
from records.rows import Answer, RowText, script_output, tabulate_texts
from records.task import Kind
from specialists.arrays import Floats
from specialists.label_space import LabelSpace

TOKENS = b"tokens"
"""The key of a table's metadata that says how many tokens its model read."""

EXTRA = {"features", "class_probs"}
"""The columns of an annotation that are only there where they were asked for."""


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
    tables = [script_output(len(space.labels), kind=kind_of(space)).empty_table()] if not shards else []
    tables += [_read_annotations(shard, space) for shard in shards]
    try:
        return pa.concat_tables(tables).replace_schema_metadata({TOKENS: str(tokens)})
    except pa.ArrowException as error:
        raise _unfit(shards[0], f"has other columns than that of another shard: {error}") from error


def kind_of(space: LabelSpace) -> Kind:
    """Return the kind of task that tables of answers are typed by; pairs of texts are labelled as texts are."""
    return "multi_label" if space.several else "single_label"


def _read_annotations(shard: Shard, space: LabelSpace) -> pa.Table:
    try:
        table = pq.read_table(shard.output)
        lists = {name: table.schema.field(name).type.list_size for name in EXTRA & set(table.column_names)}
        labels, kind = len(space.labels), kind_of(space)
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
    if read_answers(table["label"]) != expected:
        what = "labels that are not those from 0.5 on" if space.several else "a label that is not the most probable one"
        raise _unfit(shard, f"has {what}")
    if "features" in table.column_names and not np.isfinite(features_of(table)).all():
        raise _unfit(shard, "has hidden states that are not finite")
    if "class_probs" in table.column_names and not np.isfinite(class_probs_of(table)).all():
        raise _unfit(shard, "has class probabilities that are not finite")


def read_answers(column: "pa.ChunkedArray[Any]") -> list[Answer | None]:
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


def count_tokens(folder: RunFolder, stages: int, model: str) -> int:
    """Return how many tokens a specialist read to annotate the stages in which it voted."""
    votes = (folder.votes(stage, model) for stage in range(stages))
    metadata = (pq.read_schema(path).metadata for path in votes if path.exists())
    return sum(int(one[TOKENS]) for one in metadata)


def answers_of(table: pa.Table, name: str) -> list[Answer]:
    """Return a column of answers that has no null, sets of labels as tuples."""
    return cast(list[Answer], read_answers(table[name]))
