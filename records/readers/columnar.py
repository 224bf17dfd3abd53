"""parquet. Types stay as they are; row groups are read page by page, however large they are."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from records.errors import DataError
from records.readers.source import check_names

_BUFFER = 2**20
"""Bytes read ahead in each column."""
_BROKEN = (pa.ArrowException, OSError, UnicodeError)
"""What pyarrow raises on a damaged file."""


class Parquet:
    """A Parquet file. What pandas or others noted in the schema about the whole table is dropped."""

    format: Literal["parquet"] = "parquet"
    sheet = None
    encoding = None
    other_encoding = None

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                self._schema = file.schema_arrow.remove_metadata()
            names = self._schema.names
        except _BROKEN as error:
            raise self._error(error, None) from error
        check_names(path, names, None)

    def head(self, rows: int) -> pa.Table:
        return pa.Table.from_batches(islice(self.batches(self._schema, rows), 1), self._schema)

    def read_schema(self) -> pa.Schema:
        return self._schema

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        done = 0
        try:
            with pq.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False) as file:
                batches = file.iter_batches(rows)  # pyright: ignore[reportUnknownMemberType] (its lists)
                for batch in _cut(batches, schema, rows):
                    # Strings that are not UTF-8 would only fail where they are used.
                    batch.validate(full=True)
                    yield batch
                    done += batch.num_rows
        except _BROKEN as error:
            raise self._error(error, f"after row {done}") from error

    def _error(self, error: Exception, place: str | None) -> DataError:
        first_line = str(error).partition("\n")[0]
        reason = f"the file is cut short, damaged, or no Parquet file: {first_line}"
        return DataError(str(self._path), reason, place=place, next_step="Write or download the file again.")


def _cut(batches: Iterator[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of exactly `rows` rows, the last one excepted."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch.replace_schema_metadata(None))
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(waiting, schema)
            yield _as_batch(table.slice(0, rows))
            waiting = table.slice(rows).to_batches()
            count -= rows
    if count:
        yield _as_batch(pa.Table.from_batches(waiting, schema))


def _as_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]
