"""Lists models as the Hub does: which pass the filters, in which order, with which of their fields."""

import re
from collections.abc import Callable
from http import HTTPStatus

from hub.api_error import ApiError, refuse_parameter
from hub.descriptions import LIST_FIELDS, check_expand, describe_model
from hub.paging import Page, Query, check_parameters, cut_page, is_true
from hub.repositories import Repository, RepositorySource

_PARAMETERS = frozenset(
    {
        *("search", "filter", "pipeline_tag", "author", "gated", "num_parameters"),
        *("sort", "direction", "limit", "cursor", "full", "cardData", "config", "expand"),
    }
)
_SORT_KEYS: dict[str, Callable[[Repository], int | str]] = {
    "downloads": lambda model: model.facts.downloads,
    "likes": lambda model: model.facts.likes,
    "trendingScore": lambda model: model.facts.downloads,  # nothing trends here: the nearest to it
    "lastModified": lambda model: model.modified,
    "createdAt": lambda model: model.created,
}
_SHORT = ("modelId", "private", "downloads", "likes", "tags", "pipeline_tag", "library_name", "createdAt")
_FULL = (*_SHORT, "author", "sha", "lastModified", "gated", "disabled", "siblings")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_RANGE = re.compile(r"(?:min:(?P<min>[\d.]+)(?P<min_unit>[KMBT]?))?,?(?:max:(?P<max>[\d.]+)(?P<max_unit>[KMBT]?))?")


def list_models(source: RepositorySource, query: Query, *, with_private: bool) -> Page:
    """Return a page of the models that pass every filter, the highest of `sort` first, equal ones by name.

    `search` keeps a model whose id contains every word of it; `filter` one that has each of the tags. Raises ApiError
    where a parameter or its value is not known here.
    """
    check_parameters(query, _PARAMETERS)
    passes = _read_filters(query)
    found = [model for model in source if (with_private or not model.facts.private) and passes(model)]
    page, next_query = cut_page(_sort(found, query), query)
    fields = _choose_fields(query)
    return Page([describe_model(model, fields) for model in page], next_query)


def _read_filters(query: Query) -> Callable[[Repository], bool]:
    """Return what tells whether a model passes everything that the query asks for."""
    words = [word for text in query.get("search", []) for word in text.lower().split()]
    tags = frozenset(query.get("filter", []))
    tasks = query.get("pipeline_tag", [])
    authors = query.get("author", [])
    gated = is_true(query, "gated") if "gated" in query else None
    fewest, most = _read_range(query)

    def passes(model: Repository) -> bool:
        name = model.repo_id.lower()
        return (
            all(word in name for word in words)
            and tags <= model.tag_set
            and all(model.pipeline_tag == task for task in tasks)
            and all(model.author == author for author in authors)
            and gated in (None, bool(model.facts.gated))
            and fewest <= sum(model.parameters.values()) <= most
        )

    return passes


def _read_range(query: Query) -> tuple[float, float]:
    """Return the least and the largest number of parameters. With a range, models of unknown size do not pass."""
    text = query.get("num_parameters", [""])[0]
    if not text:
        return 0, float("inf")
    match = _RANGE.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        fewest = float(match["min"] or 1) * _UNITS[match["min_unit"] or ""]
        most = float(match["max"] or "inf") * _UNITS[match["max_unit"] or ""]
    except ValueError:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"num_parameters={text}; it is like min:6M,max:1.5B") from None
    return max(fewest, 1), most


def _sort(models: list[Repository], query: Query) -> list[Repository]:
    key = query.get("sort", ["trendingScore"])[0]
    if key not in _SORT_KEYS:
        raise refuse_parameter("sort", key, _SORT_KEYS)
    direction = query.get("direction", ["-1"])[0]
    if direction not in ("-1", "1"):
        raise refuse_parameter("direction", direction, ("-1", "1"))
    by_name = sorted(models, key=lambda model: model.repo_id)
    return sorted(by_name, key=_SORT_KEYS[key], reverse=direction == "-1")


def _choose_fields(query: Query) -> list[str]:
    """Return the fields that a listing with these parameters has on the Hub."""
    if "expand" in query:
        return sorted(check_expand(query["expand"], LIST_FIELDS))
    asked = [name for name in ("cardData", "config") if is_true(query, name)]
    return [*(_FULL if is_true(query, "full") else _SHORT), *asked]
