"""Answers the Hub's HTTP API from a folder of repositories: what each path and query means, apart from the sockets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from hub.repositories import Repository, RepositoryFile, RepositoryFolder, write_pointer

Query = Mapping[str, list[str]]

_LIST_PARAMETERS = {
    *("search", "filter", "pipeline_tag", "author", "gated", "sort", "direction", "limit"),
    *("full", "cardData", "config", "expand"),
}
_SORT_KEYS: dict[str, Callable[[dict], Any]] = {
    "downloads": lambda model: model["downloads"],
    "likes": lambda model: model["likes"],
    "trendingScore": lambda model: model["downloads"],
    "lastModified": lambda model: model["lastModified"],
    "createdAt": lambda model: model["createdAt"],
}
_SHORT_LISTING = ("id", "modelId", "private", "downloads", "likes", "tags", "pipeline_tag", "library_name", "createdAt")
_FULL_LISTING = (*_SHORT_LISTING, "author", "sha", "lastModified", "gated", "disabled", "siblings")


class ApiError(Exception):
    """The request gets an error status; `code` is what the Hub's client tells errors apart by."""

    def __init__(self, status: HTTPStatus, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


@dataclass(frozen=True)
class FileAnswer:
    """The request gets a file of a repository at this commit."""

    file: RepositoryFile
    commit: str


def answer_request(folder: RepositoryFolder, path: str, query: Query) -> FileAnswer | list | dict:
    """Return what a GET of `path` (unquoted, without its query) gets: a file, or what is sent as JSON.

    Raises ApiError where there is no such model, revision or file, and where a parameter is not known here.
    """
    parts = path.strip("/").split("/")
    match parts:
        case ["api", "models"]:
            return list_models(folder, query)
        case ["api", "models", owner, name]:
            return describe_model(_find(folder, owner, name), with_blobs="blobs" in query)
        case ["api", "models", owner, name, "revision", revision]:
            repository = _find(folder, owner, name, revision)
            return describe_model(repository, with_blobs="blobs" in query)
        case ["api", "models", owner, name, "tree", revision, *inner]:
            repository = _find(folder, owner, name, revision)
            return list_tree(repository, "/".join(inner), recursive=_is_true(query, "recursive"))
        case [owner, name, "resolve", revision, *inner] if inner:
            repository = _find(folder, owner, name, revision)
            file = repository.find("/".join(inner))
            if file is None:
                raise ApiError(HTTPStatus.NOT_FOUND, f"{repository.repo_id} has no such file", "EntryNotFound")
            return FileAnswer(file, repository.commit)
        case _:
            raise ApiError(HTTPStatus.NOT_FOUND, "This Hub serves models, their trees and their files only")


def list_models(folder: RepositoryFolder, query: Query) -> list[dict]:
    """Return the models that pass every filter, the highest of `sort` first, then by name.

    `search` keeps a model whose id or tags contain every word of it; `filter` one that has each of the tags.
    """
    unknown = sorted(set(query) - _LIST_PARAMETERS)
    if unknown:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            f"Unknown parameters {', '.join(unknown)}; this Hub knows {', '.join(sorted(_LIST_PARAMETERS))}",
        )
    models = [describe_model(found) for found in folder if _passes(found, query)]
    models.sort(key=lambda model: model["id"])
    for name in query.get("sort", []):
        if name not in _SORT_KEYS:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"sort={name}; allowed are {', '.join(_SORT_KEYS)}")
        models.sort(key=_SORT_KEYS[name], reverse=True)
    limit = _read_limit(query)
    return [_select_fields(model, query) for model in models[:limit]]


def describe_model(repository: Repository, *, with_blobs: bool = False) -> dict[str, Any]:
    """Return all facts of a model under the Hub's names; `with_blobs` adds sizes and hashes of its files."""
    parameters = repository.count_parameters()
    modified = repository.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "id": repository.repo_id,
        "modelId": repository.repo_id,
        "author": repository.repo_id.partition("/")[0],
        "sha": repository.commit,
        "lastModified": modified,
        "createdAt": modified,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": repository.tags,
        "pipeline_tag": repository.card.get("pipeline_tag"),
        "library_name": repository.card.get("library_name"),
        "cardData": repository.card,
        "config": {key: repository.config[key] for key in ("architectures", "model_type") if key in repository.config},
        "siblings": [_describe_file(file, with_blobs=with_blobs) for file in repository.files],
        "safetensors": {"parameters": parameters, "total": sum(parameters.values())} if parameters else None,
        "usedStorage": sum(file.size for file in repository.files),
    }


def list_tree(repository: Repository, inner: str, *, recursive: bool) -> list[dict]:
    """Return the files (and folders) under the path `inner`; with `recursive`, of its folders too."""
    prefix = f"{inner}/" if inner else ""
    below = [file for file in repository.files if file.path.startswith(prefix)]
    if not below:
        raise ApiError(HTTPStatus.NOT_FOUND, f"{repository.repo_id} has no folder {inner}", "EntryNotFound")
    entries: dict[str, dict] = {}
    for file in below:
        steps = file.path.removeprefix(prefix).split("/")
        depth = len(steps) if recursive else 1
        for length in range(1, min(depth, len(steps) - 1) + 1):
            folder = prefix + "/".join(steps[:length])
            entries[folder] = {"type": "directory", "oid": repository.commit, "size": 0, "path": folder}
        if depth == len(steps):
            entry = {"type": "file", "oid": file.blob_id, "size": file.size, "path": file.path}
            entries[file.path] = entry | ({"lfs": _describe_pointer(file, "oid")} if file.sha256 else {})
    return [entries[path] for path in sorted(entries)]


def _find(folder: RepositoryFolder, owner: str, name: str, revision: str = "main") -> Repository:
    repository = folder.find(f"{owner}/{name}")
    if repository is None:
        raise ApiError(HTTPStatus.NOT_FOUND, f"There is no model {owner}/{name}", "RepoNotFound")
    if revision not in ("main", repository.commit):
        raise ApiError(HTTPStatus.NOT_FOUND, f"{repository.repo_id} has no revision {revision}", "RevisionNotFound")
    return repository


def _passes(repository: Repository, query: Query) -> bool:
    searchable = " ".join([repository.repo_id, *repository.tags]).lower()
    words = [word for text in query.get("search", []) for word in text.lower().split()]
    author = query.get("author", [""])[0]
    return (
        all(word in searchable for word in words)
        and all(tag in repository.tags for tag in query.get("filter", []))
        and all(repository.card.get("pipeline_tag") == wanted for wanted in query.get("pipeline_tag", []))
        and (not author or repository.repo_id.startswith(f"{author}/"))
        and not _is_true(query, "gated")
    )


def _select_fields(model: dict, query: Query) -> dict:
    """Return the fields that a listing with these parameters has on the Hub."""
    if "expand" in query:
        wanted = {"id", "modelId", *query["expand"]}
    else:
        wanted = set(_FULL_LISTING if _is_true(query, "full") else _SHORT_LISTING)
        wanted |= {name for name in ("cardData", "config") if _is_true(query, name)}
    return {name: value for name, value in model.items() if name in wanted}


def _describe_file(file: RepositoryFile, *, with_blobs: bool) -> dict:
    facts: dict[str, Any] = {"rfilename": file.path}
    if with_blobs:
        facts |= {"size": file.size, "blobId": file.blob_id}
        if file.sha256:
            facts["lfs"] = _describe_pointer(file, "sha256")
    return facts


def _describe_pointer(file: RepositoryFile, hash_name: str) -> dict:
    sha256 = file.sha256 or ""
    return {hash_name: sha256, "size": file.size, "pointerSize": len(write_pointer(sha256, file.size))}


def _read_limit(query: Query) -> int | None:
    text = query.get("limit", [""])[0]
    if text and not (text.isascii() and text.isdecimal()):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"limit={text}; it is a whole number")
    return int(text) if text else None


def _is_true(query: Query, name: str) -> bool:
    return query.get(name, ["false"])[0].lower() in ("true", "1")
