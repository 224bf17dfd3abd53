"""What every format's reader offers, and the looks and notes that leave this package."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import pyarrow as pa

from records.base import Record
from records.errors import DataError

Format = Literal["csv", "tsv", "txt", "json", "jsonl", "xlsx", "parquet"]

LONGEST_FIELD = 16 * 2**20
"""Characters. A longer field of a csv or tsv file is a quote that is not closed."""


class OtherEncoding(Record):
    """Lines that are not in the file's encoding and were read in others: how many, and the first 20 line numbers."""

    encodings: tuple[str, ...]
    lines: int
    first_lines: tuple[int, ...]


class Source(Protocol):
    """An opened data file of one format. Every method may raise DataError."""

    @property
    def format(self) -> Format: ...

    @property
    def sheet(self) -> str | None:
        """The sheet that is read; None where the format has none."""
        ...

    @property
    def encoding(self) -> str | None:
        """The encoding of a text format, else None."""
        ...

    @property
    def other_encoding(self) -> OtherEncoding | None:
        """What the last reading found; None where every line was in the file's encoding."""
        ...

    def head(self, rows: int) -> pa.Table:
        """Return the first rows, their types told from these rows alone."""
        ...

    def read_schema(self) -> pa.Schema:
        """Return names and types of the original columns. Reads the file through where the format does not say."""
        ...

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the file from its beginning in batches of `rows` rows (the last may be shorter).

        `schema` is what `read_schema` returned: it may be dear to tell a second time.
        """
        ...


def check_names(path: Path, names: Iterable[str], place: str | None) -> None:
    """Raise DataError where two columns have one name."""
    seen: set[str] = set()
    twice = list(dict.fromkeys(name for name in names if name in seen or seen.add(name)))
    if twice:
        raise DataError(
            str(path),
            f"these column names are there more than once: {', '.join(map(repr, twice))}",
            place=place,
            next_step="Give each column a name of its own.",
        )


def refuse_empty(path: Path, what: str = "the file is empty") -> NoReturn:
    """Raise the DataError of a file without rows."""
    raise DataError(str(path), what, next_step="Give a file with at least one row to label.")
