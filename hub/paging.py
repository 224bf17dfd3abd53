"""Cuts what a listing finds into pages, each with the query of the next one."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from hub.api_error import ApiError

Query = Mapping[str, list[str]]
_Item = TypeVar("_Item")
LONGEST_PAGE = 1000


@dataclass(frozen=True)
class Page:
    """What is sent as JSON; `next_query` (encoded) asks for the next page, where there is one."""

    items: list[dict[str, Any]]
    next_query: str | None


def cut_page(found: Sequence[_Item], query: Query) -> tuple[Sequence[_Item], str | None]:
    """Return the items of the page that the query asks for, and the query of the next page, where there is one.

    A page has `limit` items, 1,000 at most and where no limit is given. `cursor` says where it starts: clients take it
    from the answer and do not look into it. Raises ApiError where one of the two is malformed.
    """
    limit = min(_read_number(query, "limit", query.get("limit", [str(LONGEST_PAGE)])[0]), LONGEST_PAGE)
    start = _read_cursor(query)
    stop = start + limit
    if stop >= len(found):
        return found[start:], None
    return found[start:stop], urlencode({**query, "cursor": _write_cursor(stop)}, doseq=True)


def check_parameters(query: Query, known: frozenset[str]) -> None:
    """Raises ApiError where a parameter is not a known one: to ignore it would answer another question."""
    unknown = sorted(set(query) - known)
    if unknown:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            f"Unknown parameters {', '.join(unknown)}; this Hub knows {', '.join(sorted(known))}",
        )


def is_true(query: Query, name: str) -> bool:
    """Whether a parameter is there and says yes."""
    return query.get(name, ["false"])[0].lower() in ("true", "1")


def _write_cursor(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def _read_cursor(query: Query) -> int:
    if "cursor" not in query:
        return 0
    text = query["cursor"][0]
    try:
        start = base64.urlsafe_b64decode(text).decode("ascii")
    except ValueError:
        start = ""
    return _read_number({"cursor": [text]}, "cursor", start)


def _read_number(query: Query, name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"{name}={query[name][0]}; it is a whole number above 0")
    return int(text)
