"""csv, tsv and txt. Their values have no type, so every column stays text: `007` and `NA` are kept as written."""

import csv
from collections.abc import Iterator
from itertools import dropwhile, islice
from pathlib import Path
from typing import Literal

import pyarrow as pa

from records.errors import DataError
from records.readers.source import LONGEST_FIELD, OtherEncoding, check_names, refuse_empty
from records.readers.text import Lines

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 100
_QUOTING = "Put a field with a delimiter, a quote or a line break in double quotes, and double each quote in it."


class TextLines:
    """A txt file: one column `text`, one line one row; an empty line is an empty row."""

    format: Literal["txt"] = "txt"
    sheet = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines(path)

    @property
    def encoding(self) -> str:
        return self._lines.encoding

    @property
    def other_encoding(self) -> OtherEncoding | None:
        return self._lines.other_encoding

    def head(self, rows: int) -> pa.Table:
        return pa.table({"text": list(islice(self._rows(), rows))}, schema=self.read_schema())

    def read_schema(self) -> pa.Schema:
        return pa.schema([("text", pa.string())])

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        stream = self._rows()
        while chunk := list(islice(stream, rows)):
            yield pa.record_batch([pa.array(chunk, pa.string())], schema=schema)

    def _rows(self) -> Iterator[str]:
        return (line.rstrip("\r\n") for line in self._lines)


class Delimited:
    """A csv or tsv file with a header. An empty header is named by its position (`column_3`).

    The delimiter of a csv is the one of comma, semicolon, tab and bar that splits its header and first rows alike.
    A tsv in which quotes are not used as csv uses them is read with quotes as ordinary characters. Blank lines are no
    rows, but in a file of one column each blank line above the last row is an empty row.
    """

    sheet = None

    def __init__(self, path: Path, kind: Literal["csv", "tsv"]) -> None:
        self.format: Literal["csv", "tsv"] = kind
        self._path = path
        self._lines = Lines(path)
        self._quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
        self._delimiter = "\t" if kind == "tsv" else self._find_delimiter()
        if kind == "tsv" and not self._is_quoted_well():
            self._quoting = csv.QUOTE_NONE
        header = next((fields for _, fields in self._records() if fields), None)
        if header is None:
            refuse_empty(path)
        self._names = [name or f"column_{position}" for position, name in enumerate(header, start=1)]
        check_names(path, self._names, "line 1")

    @property
    def encoding(self) -> str:
        return self._lines.encoding

    @property
    def other_encoding(self) -> OtherEncoding | None:
        return self._lines.other_encoding

    def head(self, rows: int) -> pa.Table:
        return self._to_table(list(islice(self._rows(), rows)), self.read_schema())

    def read_schema(self) -> pa.Schema:
        return pa.schema([(name, pa.string()) for name in self._names])

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        stream = self._rows()
        while chunk := list(islice(stream, rows)):
            yield from self._to_table(chunk, schema).to_batches()

    def _to_table(self, rows: list[list[str]], schema: pa.Schema) -> pa.Table:
        columns = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(self._names))]
        return pa.Table.from_arrays(columns, schema=schema)

    def _rows(self) -> Iterator[list[str]]:
        """Yield the rows below the header. Raises DataError at the first that has not one field a column."""
        records = dropwhile(lambda record: not record[1], self._records())
        next(records)
        number = blank = 0
        for line, fields in records:
            if not fields:
                blank += len(self._names) == 1
                continue
            yield from [[""]] * blank
            number += blank + 1
            blank = 0
            if len(fields) != len(self._names):
                raise DataError(
                    str(self._path),
                    f"the row has {len(fields)} fields, the header {len(self._names)} ({', '.join(self._names)})",
                    place=f"row {number} (line {line})",
                    next_step=_QUOTING if self._quoting == csv.QUOTE_MINIMAL else "Mend the row.",
                )
            yield fields

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of its first line, fields) for the header and every row; a blank line has no fields."""
        csv.field_size_limit(LONGEST_FIELD)
        reader = csv.reader(self._lines, delimiter=self._delimiter, quoting=self._quoting, strict=True)
        line = 1
        try:
            for fields in reader:
                yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                str(self._path),
                f"the row cannot be split into fields ({error}): is a quote in it not closed, or not doubled?",
                place=f"the row that begins in line {line}",
                next_step=_QUOTING,
            ) from error

    def _is_quoted_well(self) -> bool:
        """Tell whether quotes are used as in csv in the whole file, every row then having as many fields."""
        try:
            widths = {len(fields) for _, fields in self._records() if fields}
        except DataError as error:
            if isinstance(error.__cause__, csv.Error):
                return False
            raise
        return len(widths) < 2

    def _find_delimiter(self) -> str:
        best, best_score = ",", (False, 0)
        for delimiter in _DELIMITERS:
            self._delimiter = delimiter
            try:
                widths = [len(fields) for _, fields in islice(self._records(), _SAMPLE_ROWS) if fields]
            except DataError as error:
                if isinstance(error.__cause__, csv.Error):
                    continue
                raise
            if widths and widths[0] > 1 and (score := (len(set(widths)) == 1, widths[0])) > best_score:
                best, best_score = delimiter, score
        return best
