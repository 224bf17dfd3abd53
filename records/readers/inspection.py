"""A look at a data file before it is read: its format, its columns and which of them hold text."""

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from records.base import Record
from records.readers.judging import has_text, is_string
from records.readers.opening import open_source
from records.readers.source import Format, refuse_empty
from records.readers.values import as_text

LOOKED_AT = 1000
"""Rows that a look takes into account."""
SHOWN = 20
"""Values of a column, and whole rows, that a look shows at most."""
SHOWN_LENGTH = 1000
"""Characters of a value that a look shows at most."""


class ColumnLook(Record):
    """A column as its first 1,000 rows show it; `values` are the first 20 that are not empty, as text.

    A value longer than 1,000 characters is cut, and ends in `…`.
    """

    name: str
    type: str
    """Its type in Arrow's words; `string` for every column of a csv, tsv or txt."""
    is_text: bool
    """Whether it holds strings and not all of them are numbers, dates, JSON or marks of a missing value."""
    values: tuple[str, ...]


class FileLook(Record):
    """What a data file holds. `encoding` is None for xlsx and parquet, `sheet` for all but xlsx.

    `rows` are up to 20 whole rows (column → value as text), spread evenly over those of the first 1,000 that have text.
    """

    format: Format
    encoding: str | None
    sheet: str | None
    columns: tuple[ColumnLook, ...]
    rows: tuple[dict[str, str | None], ...]

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The names of the columns that are text."""
        return tuple(column.name for column in self.columns if column.is_text)


def inspect_file(path: Path, sheet: str | None = None) -> FileLook:
    """Return what the first rows of a csv, tsv, txt, json, jsonl, xlsx or parquet file show.

    Raises DataError where the file cannot be read, is empty or has no rows, and where a workbook has several sheets
    and none is named.
    """
    source = open_source(path, sheet)
    table = source.head(LOOKED_AT)
    if not table.num_rows:
        refuse_empty(path, "the file has no rows below its header")
    columns = tuple(_look_at(name, table.column(name)) for name in table.column_names)
    return FileLook(
        format=source.format,
        encoding=source.encoding,
        sheet=source.sheet,
        columns=columns,
        rows=_pick_rows(table, [column.name for column in columns if column.is_text]),
    )


def _look_at(name: str, column: "pa.ChunkedArray[Any]") -> ColumnLook:
    values: list[Any] = column.to_pylist()
    shown = islice((one for one in values if one is not None and one != ""), SHOWN)
    return ColumnLook(
        name=name,
        type=str(column.type),
        is_text=is_string(column.type) and has_text(values),
        values=tuple(_show(value) for value in shown),
    )


def _pick_rows(table: pa.Table, text_columns: list[str]) -> tuple[dict[str, str | None], ...]:
    """Return rows spread evenly over those that have text; over all of them where none has."""
    texts = [table.column(name).to_pylist() for name in text_columns]
    filled = [row for row in range(table.num_rows) if any(column[row] for column in texts)]
    rows = filled or list(range(table.num_rows))
    step = max(1.0, (len(rows) - 1) / (SHOWN - 1))
    picked = [rows[round(place * step)] for place in range(min(SHOWN, len(rows)))]
    return tuple(
        {name: None if value is None else _show(value) for name, value in row.items()}
        for row in table.take(picked).to_pylist()
    )


def _show(value: object) -> str:
    text = as_text(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 1]}…"
