"""A data file into `input.parquet`, and its rows back out of it, a shard at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from records.base import Record
from records.errors import DataError
from records.folder import written_whole
from records.readers.judging import has_text, is_string
from records.readers.opening import find_column, open_source
from records.readers.source import OtherEncoding, refuse_empty
from records.readers.values import as_text
from records.rows import INPUT_TEXTS, LABEL_COLUMNS, ROW, ROW_ID, TEXT, TEXT_PAIR, RowText
from records.task import Kind

RESERVED = frozenset({ROW, ROW_ID, *INPUT_TEXTS, *LABEL_COLUMNS})
"""Names that are ours; an original column of one of these names becomes `input_<name>`."""

COUNTED_TOGETHER = 1000


class ImportedRows(Record):
    """What was imported: how many rows, the original columns under their new names, and what to tell the person."""

    rows: int
    columns: tuple[str, ...]
    """The original columns, in their order, as `input.parquet` names them."""
    renamed: dict[str, str]
    """Original name → name in `input.parquet`, where they differ."""
    empty_rows: int
    """Rows without a text, of pairs without both; theirs are empty strings."""
    other_encoding: OtherEncoding | None
    """Lines that were not in the file's encoding, if any."""


def import_rows(
    path: Path,
    target: Path,
    *,
    text_columns: Sequence[str],
    kind: Kind = "single_label",
    id_column: str | None = None,
    sheet: str | None = None,
    shard_size: int,
) -> ImportedRows:
    """Stream a data file into the Parquet file `target`, which appears whole, or not at all.

    Its columns are ROW (0, 1, …), ROW_ID, TEXT (see `take_texts`; empty without text columns), for pairs TEXT_PAIR, and
    the original columns, in row groups of `shard_size` rows. ROW_ID is the `id_column` as
    text (by default the column whose name is `id` in any case) and, where there is none or it is empty, the row number.

    Raises DataError, with the place, where the file cannot be read to its end, a column is missing, or a text column
    holds no strings or nothing but numbers, dates, JSON and blanks.
    """
    source = open_source(path, sheet)
    schema = source.read_schema()
    rows = _Rows(path, schema, text_columns, kind, id_column)
    with written_whole(target) as temporary:
        with pq.ParquetWriter(temporary, rows.schema) as writer:
            for batch in source.batches(schema, shard_size):
                writer.write_batch(rows.add(batch))
        rows.check_texts()
    return ImportedRows(
        rows=rows.count,
        columns=tuple(rows.names.values()),
        renamed={old: new for old, new in rows.names.items() if old != new},
        empty_rows=rows.empty,
        other_encoding=source.other_encoding,
    )


def count_rows(path: Path, *, sheet: str | None = None) -> int:
    """Return how many rows a data file holds, read through once, a batch at a time.

    Raises DataError, with the place, where the file cannot be read to its end or has no rows.
    """
    source = open_source(path, sheet)
    rows = sum(batch.num_rows for batch in source.batches(source.read_schema(), COUNTED_TOGETHER))
    if not rows:
        refuse_empty(path, "the file has no rows below its header")
    return rows


class _Rows:
    """Adds our columns to the original ones, batch after batch, and keeps count."""

    def __init__(
        self, path: Path, schema: pa.Schema, text_columns: Sequence[str], kind: Kind, id_column: str | None
    ) -> None:
        self._path = path
        self._columns = schema.names
        self._types = schema.types
        self._text = [schema.get_field_index(find_column(path, name, schema.names)) for name in text_columns]
        for at in self._text:
            if not is_string(self._types[at]):
                raise self._not_text(at, f"its type is {self._types[at]}")
        self._kind: Kind = kind
        self._id = self._find_id(id_column)
        self._without_text = set(self._text)
        self.names = rename_columns(schema.names)
        ours = [(ROW, pa.int64()), (ROW_ID, pa.string()), (TEXT, pa.string())]
        ours += [(TEXT_PAIR, pa.string())] if kind == "text_pair" else []
        self.schema = pa.schema([*ours, *zip(self.names.values(), self._types, strict=True)])
        self.count = 0
        self.empty = 0

    def add(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with our columns before its own."""
        numbers = range(self.count, self.count + batch.num_rows)
        texts = self._take_texts(batch)
        self.count += batch.num_rows
        self.empty += sum(text.is_empty for text in texts)
        ours = [
            pa.array(numbers, pa.int64()),
            pa.array(self._name_rows(batch, numbers), pa.string()),
            pa.array([text.text for text in texts], pa.string()),
        ]
        ours += [pa.array([text.text_pair for text in texts], pa.string())] if self._kind == "text_pair" else []
        return pa.record_batch([*ours, *_columns_of(batch)], schema=self.schema)

    def check_texts(self) -> None:
        """Raise DataError where there was no row, or a text column without a single text."""
        if not self.count:
            refuse_empty(self._path, "the file has no rows below its header")
        for at in sorted(self._without_text):
            raise self._not_text(at, "it holds nothing but numbers, dates, JSON and blanks")

    def _take_texts(self, batch: pa.RecordBatch) -> list[RowText]:
        columns: list[list[str | None]] = [batch.column(at).to_pylist() for at in self._text]
        for at, values in zip(self._text, columns, strict=True):
            if at in self._without_text and has_text(values):
                self._without_text.discard(at)
        return take_texts(columns, self._kind) if columns else [RowText("")] * batch.num_rows

    def _name_rows(self, batch: pa.RecordBatch, numbers: range) -> list[str]:
        if self._id is None:
            return [str(number) for number in numbers]
        ids: list[Any] = _columns_of(batch)[self._id].to_pylist()
        return [
            str(number) if value is None or value == "" else as_text(value)
            for number, value in zip(numbers, ids, strict=True)
        ]

    def _find_id(self, id_column: str | None) -> int | None:
        if id_column is not None:
            return self._columns.index(find_column(self._path, id_column, self._columns))
        named = [at for at, name in enumerate(self._columns) if name.casefold() == "id"]
        return named[0] if named else None

    def _not_text(self, at: int, reason: str) -> DataError:
        return DataError(
            str(self._path),
            f"the column is not text: {reason}",
            place=f"column {self._columns[at]!r}",
            next_step=f"Name the column of the texts with --text; the columns are: {', '.join(self._columns)}.",
        )


def _columns_of(batch: pa.RecordBatch) -> "list[pa.Array[Any]]":
    return cast("list[pa.Array[Any]]", batch.columns)  # pyright: ignore[reportUnknownMemberType] (the stubs')


def rename_columns(names: Sequence[str]) -> dict[str, str]:
    """Return the name in `input.parquet` of each original column: its own, or `input_<name>` where that is ours."""
    taken = {*names, *RESERVED}
    renamed: dict[str, str] = {}
    for name in names:
        new = name
        if name in RESERVED:
            while new in taken:
                new = f"input_{new}"
            taken.add(new)
        renamed[name] = new
    return renamed


def iterate_shards(
    input_parquet: Path, first_row: int, rows: int, shard_size: int, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows from `first_row` on in tables of `shard_size` rows (the last may be shorter), `rows` in all.

    Only the row groups that hold them are read, and of these only those of `columns` that there are (default: all).
    """
    with pq.ParquetFile(input_parquet) as file:
        sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        ends = list(accumulate(sizes))
        starts = [0, *ends[:-1]]
        end = min(first_row + rows, file.metadata.num_rows)
        for first in range(first_row, end, shard_size):
            last = min(first + shard_size, end)
            groups = list(range(bisect_right(ends, first), bisect_left(starts, last)))
            table = file.read_row_groups(groups, columns=columns)  # pyright: ignore[reportUnknownMemberType] (its lists)
            yield table.slice(first - starts[groups[0]], last - first)


def take_texts(columns: Sequence[Sequence[str | None]], kind: Kind) -> list[RowText]:
    """Return what each row is labelled by: of its text columns those that are not blank, a line each; of a pair the
    two columns by themselves, in their order, empty where they are blank."""
    rows = [["" if not text or text.isspace() else text for text in texts] for texts in zip(*columns, strict=True)]
    return [RowText(*texts) if kind == "text_pair" else RowText("\n".join(filter(None, texts))) for texts in rows]
