"""Answers the Hub's HTTP API from a source of repositories: what each path and query means, apart from the sockets."""

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from hub.api_error import ApiError, refuse_entry
from hub.collection_listing import describe_collection, list_collections
from hub.descriptions import describe_whole, list_tree
from hub.listing import list_models
from hub.paging import Page, Query, is_true
from hub.repositories import Repository, RepositoryFile, RepositorySource


class Reader(Enum):
    """Who asks: nobody known, somebody with a token, or somebody who may read what is gated or private."""

    ANONYMOUS = auto()
    STRANGER = auto()
    MEMBER = auto()


@dataclass(frozen=True)
class FileAnswer:
    """The request gets a file of a repository at this commit."""

    file: RepositoryFile
    commit: str


def answer_request(
    source: RepositorySource, path: str, query: Query, reader: Reader
) -> FileAnswer | Page | list[dict] | dict[str, Any]:
    """Return what a GET of `path` (unquoted, without its query) gets: a file, or what is sent as JSON.

    Raises ApiError where there is no such model, revision or file, where the reader may not have it, and where a
    parameter is not known here.
    """
    member = reader is Reader.MEMBER
    match path.strip("/").split("/"):
        case ["api", "models"]:
            return list_models(source, query, with_private=member)
        case ["api", "models", *parts]:
            repo_id, verb, revision, inner = _split(parts, ("revision", "tree"))
            repository = _find(source, repo_id, revision, reader)
            if verb == "tree":
                return list_tree(repository, inner, recursive=is_true(query, "recursive"))
            return describe_whole(source, repository, query.get("expand", []), with_blobs=is_true(query, "blobs"))
        case ["api", "collections"]:
            return list_collections(source, query, with_private=member)
        case ["api", "collections", owner, title]:
            for collection in source.collections:
                if collection.slug == f"{owner}/{title}" and (member or not collection.private):
                    return describe_collection(source, collection, with_private=member)
            raise ApiError(HTTPStatus.NOT_FOUND, f"There is no collection {owner}/{title}")
        case [first, *rest] if "resolve" in rest and first != "api":
            repo_id, _, revision, inner = _split([first, *rest], ("resolve",))
            return _find_file(_find(source, repo_id, revision, reader), inner, reader)
        case _:
            raise ApiError(HTTPStatus.NOT_FOUND, "This Hub serves models, their trees, files and collections only")


def _split(parts: list[str], verbs: tuple[str, ...]) -> tuple[str, str, str, str]:
    """Return repository, verb, revision and inner path. A repository's id has one part or two."""
    for length in (1, 2):
        if len(parts) == length:
            return "/".join(parts), "", "main", ""
        if len(parts) > length + 1 and parts[length] in verbs:
            return "/".join(parts[:length]), parts[length], parts[length + 1], "/".join(parts[length + 2 :])
    raise ApiError(HTTPStatus.NOT_FOUND, f"This Hub does not answer {'/'.join(parts)}")


def _find(source: RepositorySource, repo_id: str, revision: str, reader: Reader) -> Repository:
    """Return the repository at a commit, or at its present one for `main`. Private ones look like missing ones."""
    versions = source.versions(repo_id)
    if not versions or (versions[0].facts.private and reader is not Reader.MEMBER):
        status = HTTPStatus.UNAUTHORIZED if reader is Reader.ANONYMOUS else HTTPStatus.NOT_FOUND
        raise ApiError(status, f"There is no model {repo_id}, or it is private", "RepoNotFound")
    for version in versions:
        if revision in ("main", version.commit):
            return version
    raise ApiError(HTTPStatus.NOT_FOUND, f"{repo_id} has no revision {revision}", "RevisionNotFound")


def _find_file(repository: Repository, path: str, reader: Reader) -> FileAnswer:
    if repository.facts.disabled:
        raise ApiError(HTTPStatus.FORBIDDEN, "Access to this resource is disabled.")
    if repository.facts.gated and reader is not Reader.MEMBER:
        known = reader is Reader.STRANGER
        raise ApiError(
            HTTPStatus.FORBIDDEN if known else HTTPStatus.UNAUTHORIZED,
            f"Access to model {repository.repo_id} is restricted. "
            + ("You are not in the list of those who have access." if known else "Please log in."),
            "GatedRepo",
        )
    file = repository.find(path)
    if file is None:
        raise refuse_entry(f"{repository.repo_id} has no file {path}")
    if file.content is None:
        raise refuse_entry(f"{path} of {repository.repo_id} is named only: a catalogue does not hold its content")
    return FileAnswer(file, repository.commit)
