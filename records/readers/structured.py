"""json and jsonl. The file is read twice: once for the columns and their types, once for the rows."""

import io
import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Literal, cast

import ijson  # pyright: ignore[reportMissingTypeStubs]
import pyarrow as pa

from records.errors import DataError
from records.readers.source import OtherEncoding, check_names, refuse_empty
from records.readers.text import Lines
from records.readers.values import ColumnTypes, to_batches, to_head

_MISSING = object()
_REPAIR = "Mend the file, or save it as jsonl: one JSON object a line."


class JsonLines:
    """A jsonl file: an object, or a string (then the column is `text`), a line. Blank lines are no rows."""

    format: Literal["jsonl"] = "jsonl"
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
        return to_head(self._rows(), rows)

    def read_schema(self) -> pa.Schema:
        return _see_all(self._rows())

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        return to_batches(self._rows(), schema, rows)

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        for number, line in enumerate(self._lines, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    str(self._path),
                    f"the line is not valid JSON: {error}",
                    place=f"line {number}",
                    next_step="Mend the line: each holds one whole JSON object.",
                ) from error
            yield _as_row(value, self._path, f"line {number}")


class Json:
    """A json file: an array of objects, an array of strings (the column is `text`), or an object of columns.

    It is UTF-8 as JSON's standard asks, with or without a byte order mark, or UTF-16 with one. An object of columns
    is read by one parser a column, side by side.
    """

    format: Literal["json"] = "json"
    sheet = None
    other_encoding = None

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            start = stream.read(4)
        utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
        self.encoding = "utf-16" if utf16 else "utf-8-sig" if start.startswith(b"\xef\xbb\xbf") else "utf-8"
        self._columns = self._read_columns()

    def head(self, rows: int) -> pa.Table:
        return to_head(self._rows(), rows, self._columns or ())

    def read_schema(self) -> pa.Schema:
        return _see_all(self._rows(), self._columns or ())

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        return to_batches(self._rows(), schema, rows)

    def _read_columns(self) -> list[str] | None:
        """Return the keys of an object of columns, or None for an array. Raises DataError for anything else."""
        with self._open() as stream:
            events = self._guarded(ijson.parse(stream), rows=False)
            first = next(events, None)
            if first is None:
                refuse_empty(self._path)
            if first[1] == "start_array":
                return None
            if first[1] != "start_map":
                raise self._error("the file holds one bare value, no array and no object")
            names = list[str]()
            for prefix, event, value in events:
                if prefix == "" and event == "map_key":
                    names.append(cast(str, value))
                    if next(events)[1] != "start_array":
                        raise self._error(f"the value of {names[-1]!r} is no array of values")
            check_names(self._path, names, None)
            return names

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        if self._columns is None:
            yield from self._array_rows()
        else:
            yield from self._column_rows(self._columns)

    def _array_rows(self) -> Iterator[Mapping[str, Any]]:
        with self._open() as stream:
            for number, item in enumerate(self._guarded(ijson.items(stream, "item")), start=1):
                yield _as_row(item, self._path, f"row {number}")

    def _column_rows(self, names: list[str]) -> Iterator[Mapping[str, Any]]:
        streams = [self._open() for _ in names]
        try:
            columns = [
                self._guarded(ijson.items(stream, f"{name}.item")) for name, stream in zip(names, streams, strict=True)
            ]
            for number, values in enumerate(zip_longest(*columns, fillvalue=_MISSING), start=1):
                if _MISSING in values:
                    short = names[values.index(_MISSING)]
                    raise self._error(f"the column {short!r} ends, others go on", f"row {number}")
                yield dict(zip(names, values, strict=True))
        finally:
            for stream in streams:
                stream.close()

    def _open(self) -> IO[bytes]:
        if self.encoding == "utf-16":
            return cast(IO[bytes], _Utf8Stream(self._path))
        stream = self._path.open("rb")
        stream.seek(3 if self.encoding == "utf-8-sig" else 0)
        return stream

    def _guarded(self, events: Iterator[Any], *, rows: bool = True) -> Iterator[Any]:
        """Yield what a parser yields; its errors become DataError, after the last row where it yields rows."""
        done = 0
        try:
            for event in events:
                yield event
                done += 1
        except (ijson.JSONError, UnicodeError, RecursionError) as error:
            first_line = str(error).removeprefix("b'").replace("\\n", "\n").partition("\n")[0]
            raise self._error(
                f"the file is cut short or not valid JSON: {first_line}", f"after row {done}" if rows else None
            ) from error

    def _error(self, reason: str, place: str | None = None) -> DataError:
        return DataError(str(self._path), reason, place=place, next_step=_REPAIR)


class _Utf8Stream:
    """A UTF-16 file, read as the bytes of UTF-8."""

    def __init__(self, path: Path) -> None:
        self._text = io.TextIOWrapper(path.open("rb"), encoding="utf-16", newline="")

    def read(self, size: int) -> bytes:
        return self._text.read(size).encode()

    def __enter__(self) -> "_Utf8Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._text.close()


def _as_row(value: object, path: Path, place: str) -> Mapping[str, Any]:
    match value:
        case dict():
            return cast(dict[str, Any], value)
        case str():
            return {"text": value}
        case _:
            raise DataError(
                str(path),
                f"the row is neither an object nor a string: {json.dumps(value, default=float)[:80]}",
                place=place,
                next_step='Write each row as an object, such as {"text": "…"}.',
            )


def _see_all(rows: Iterator[Mapping[str, Any]], names: list[str] | tuple[str, ...] = ()) -> pa.Schema:
    types = ColumnTypes(names)
    for row in rows:
        types.see(row)
    return types.schema()
