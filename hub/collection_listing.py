"""Lists and describes collections as the Hub does."""

from collections.abc import Callable, Iterable
from typing import Any

from hub.api_error import refuse_parameter
from hub.descriptions import describe_model, object_id
from hub.paging import Page, Query, check_parameters, cut_page
from hub.repositories import Collection, RepositorySource

_PARAMETERS = frozenset({"owner", "item", "q", "sort", "limit", "cursor"})
_SORT_KEYS: dict[str, Callable[[Collection], int | float]] = {
    "lastModified": lambda collection: collection.updated.timestamp(),
    "upvotes": lambda collection: collection.upvotes,
    "trending": lambda collection: collection.upvotes,
}
_ITEM_FIELDS = ("author", "downloads", "gated", "lastModified", "likes", "pipeline_tag", "private")
_SHOWN_IN_LISTS = 4


def list_collections(source: RepositorySource, query: Query, *, with_private: bool) -> Page:
    """Return a page of the collections of any `owner` that hold any `item` (models/ID), with four items of each.

    The highest of `sort` come first, without it the last changed. Raises ApiError where a parameter is not known here.
    """
    check_parameters(query, _PARAMETERS)
    key = query.get("sort", ["lastModified"])[0]
    if key not in _SORT_KEYS:
        raise refuse_parameter("sort", key, _SORT_KEYS)
    owners, words = query.get("owner", []), " ".join(query.get("q", [])).lower().split()
    asked = query.get("item", [])
    found = [
        one
        for one in source.collections
        if (with_private or not one.private)
        and (not owners or one.owner in owners)
        and (not asked or any(f"models/{item}" in asked for item in one.items))
        and all(word in one.title.lower() for word in words)
    ]
    found.sort(key=lambda one: one.slug)
    found.sort(key=_SORT_KEYS[key], reverse=True)
    page, next_query = cut_page(found, query)
    return Page([_describe(source, one, with_private=with_private)[0] for one in page], next_query)


def describe_collection(source: RepositorySource, collection: Collection, *, with_private: bool) -> dict[str, Any]:
    """Return all that the Hub says of one collection, all of its items with it."""
    described, items = _describe(source, collection, with_private=with_private)
    return described | {"position": 0, "items": items}  # a listing has no position: clients count for themselves


def _describe(source: RepositorySource, collection: Collection, *, with_private: bool) -> tuple[dict, list[dict]]:
    items = list(_describe_items(source, collection, with_private=with_private))
    described = {
        "slug": collection.slug,
        "title": collection.title,
        "owner": {"name": collection.owner, "type": "user"},
        "lastUpdated": collection.updated.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "private": collection.private,
        "theme": "blue",
        "upvotes": collection.upvotes,
        "items": items[:_SHOWN_IN_LISTS],
    }
    return described | ({"description": collection.description} if collection.description else {}), items


def _describe_items(source: RepositorySource, collection: Collection, *, with_private: bool) -> Iterable[dict]:
    for position, repo_id in enumerate(collection.items):
        versions = source.versions(repo_id)
        if versions and (with_private or not versions[0].facts.private):
            facts = describe_model(versions[0], _ITEM_FIELDS)
            identity = {"_id": object_id(f"{collection.slug} {repo_id}"), "type": "model", "position": position}
            yield facts | identity | {"repoType": "model"}
