"""Whether a column is text: strings of which not all are numbers, dates, JSON or marks of a missing value."""

import json
import re
from collections.abc import Iterable

import pyarrow as pa

_NUMBER = re.compile(r"[-+(]?\s?[$€£¥]?\s?[-+]?[.,]?\d[\d.,'  ]*(e[-+]?\d+)?\s?[%€)]?", re.IGNORECASE)
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([ap]m)?\s?(z|utc|[-+]\d{2}:?\d{2})?"
_DATE = re.compile(rf"(\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}([t ]\s?{_CLOCK})?|{_CLOCK})", re.IGNORECASE)
_MISSING = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "nil"})


def is_string(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds strings."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def has_text(values: Iterable[str | None]) -> bool:
    """Tell whether any of the strings is a text."""
    return any(_is_text(value) for value in values if value is not None)


def _is_text(value: str) -> bool:
    value = value.strip()
    if value[:1] in ("{", "["):
        return not _is_json(value)
    # A number or a date is short; a long string need not be matched.
    if len(value) > 64:
        return True
    return not (value.casefold() in _MISSING or _NUMBER.fullmatch(value) or _DATE.fullmatch(value))


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
