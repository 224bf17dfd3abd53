"""Types of columns whose format gives a type to each value, not to the column (json, jsonl, xlsx)."""

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa

_INT64 = range(-(2**63), 2**63)
_EXACT = range(-(2**53), 2**53 + 1)
"""The integers that a float64 holds exactly."""


class ColumnTypes:
    """The Arrow types of columns, told from all their values; columns in the order in which they first appear.

    One kind of value: that type (integers int64, fractions float64, both float64). Different kinds, nested values,
    and integers that fit neither: text, in which nested values are JSON. No value at all: text.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._kinds: dict[str, set[str]] = {name: set() for name in names}

    def see(self, row: Mapping[str, Any]) -> None:
        """Take one row into account."""
        for name, value in row.items():
            kinds = self._kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))

    def schema(self) -> pa.Schema:
        """Return the types as told so far."""
        return pa.schema([(name, _arrow_type(kinds)) for name, kinds in self._kinds.items()])


def _kind(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int" if value in _EXACT else "long" if value in _INT64 else "str"
        case float() | Decimal():
            return "float"
        case datetime.datetime():
            return "datetime"
        case datetime.date():
            return "date"
        case _:
            return "str"


def _arrow_type(kinds: set[str]) -> pa.DataType:
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds and kinds <= {"int", "long"}:
        return pa.int64()
    if kinds and kinds <= {"int", "float"}:
        return pa.float64()
    if kinds and kinds <= {"datetime", "date"}:
        return pa.timestamp("us") if "datetime" in kinds else pa.date32()
    return pa.string()


def as_text(value: object) -> str:
    """Return a value as text: a string as it is, anything nested as JSON."""
    match value:
        case str():
            # Half of a surrogate pair is no character, and no UTF-8 file can hold it.
            return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
        case bool() | dict() | list() | float() | Decimal():
            return as_text(json.dumps(value, ensure_ascii=False, default=float))
        case _:
            return str(value)


def to_batch(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as one batch; a missing key is null."""
    columns = zip(schema.names, schema.types, strict=True)
    return pa.record_batch([_to_array([row.get(name) for row in rows], kind) for name, kind in columns], schema=schema)


def _to_array(values: list[Any], kind: pa.DataType) -> "pa.Array[Any]":
    if pa.types.is_string(kind):
        values = [None if value is None else as_text(value) for value in values]
    elif pa.types.is_float64(kind):
        values = [None if value is None else float(value) for value in values]
    elif pa.types.is_timestamp(kind):
        values = [_to_datetime(value) for value in values]
    return pa.array(values, type=kind)


def _to_datetime(value: object) -> object:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value, datetime.time())
    return value


def to_batches(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    """Yield rows in batches of `size`."""
    stream = iter(rows)
    while chunk := list(islice(stream, size)):
        yield to_batch(chunk, schema)


def to_head(rows: Iterable[Mapping[str, Any]], size: int, names: Iterable[str] = ()) -> pa.Table:
    """Return the first `size` rows as a table, its types told from these rows alone."""
    first = list(islice(rows, size))
    types = ColumnTypes(names)
    for row in first:
        types.see(row)
    return pa.Table.from_batches([to_batch(first, types.schema())])
