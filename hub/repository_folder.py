"""Reads a folder of model repositories `DIR/owner/name/` as the Hub would describe them.

What files cannot carry stands in `DIR/hub.json`, if there is one:

    {"models": {"owner/name": {"downloads": 12, "gated": "auto", "earlier": [".history/name-1"]}},
     "collections": [{"slug": "owner/title-1", "title": "Title", "updated": "2026-01-31T00:00:00Z",
                      "items": ["owner/name"]}]}

The fields are those of `HubFacts` and `Collection`. `earlier` lists folders that hold the repository as it was before,
the latest first, each served at its own commit. A folder whose name begins with a dot is no repository itself.
"""

import functools
import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from hub.repositories import (
    Collection,
    HubFacts,
    Repository,
    RepositoryFile,
    derive_commit,
    git_blob_id,
    is_large,
    is_repo_id,
    write_pointer,
)
from records.base import Record
from records.errors import DataError

SIDE_FILE = "hub.json"
_HEADER_LIMIT = 100_000_000


class ListedFile(NamedTuple):
    """A file as the folder lists it: path inside the repository, place, bytes, and time of change in nanoseconds."""

    path: str
    location: Path
    size: int
    changed: int


class FolderFacts(HubFacts):
    """The facts of one repository of the folder, and the folders (below the same root) of its earlier commits."""

    earlier: tuple[str, ...] = ()


class SideFile(Record):
    """The content of `hub.json`."""

    models: dict[str, FolderFacts] = Field(default_factory=dict)
    collections: tuple[Collection, ...] = ()


class RepositoryFolder:
    """A folder of repositories, read anew at each question; what was read is kept while size and time stay the same.

    The side file is read once. Raises DataError where it is not what it should be.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._known: dict[Path, tuple[tuple[ListedFile, ...], Repository]] = {}
        self._side = _read_side_file(self._root / SIDE_FILE)

    @property
    def collections(self) -> tuple[Collection, ...]:
        return self._side.collections

    def __iter__(self) -> Iterator[Repository]:
        for folder in sorted(self._root.glob("*/*")):
            repository = self._read(f"{folder.parent.name}/{folder.name}", folder)
            if repository is not None:
                yield repository

    def versions(self, repo_id: str) -> tuple[Repository, ...]:
        """Return the repository `owner/name` at its present commit, then at earlier ones; empty where there is none."""
        present = self._read(repo_id, self._root / repo_id)
        if present is None:
            return ()
        earlier = self._side.models[repo_id].earlier if repo_id in self._side.models else ()
        found = (self._read(repo_id, self._root / folder) for folder in earlier)
        return (present, *(repository for repository in found if repository is not None))

    def _read(self, repo_id: str, folder: Path) -> Repository | None:
        if not is_repo_id(repo_id) or not folder.is_dir() or not self._holds(folder):
            return None
        listed = tuple(
            ListedFile(path.relative_to(folder).as_posix(), path, facts.st_size, facts.st_mtime_ns)
            for path in self._list_files(folder)
            for facts in [path.stat()]
        )
        if not listed:
            return None
        known = self._known.get(folder)
        if known is None or known[0] != listed:
            facts = self._side.models.get(repo_id, FolderFacts())
            known = self._known[folder] = (listed, _make_repository(repo_id, listed, facts))
        return known[1]

    def _list_files(self, folder: Path) -> Iterator[Path]:
        for location in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in location.relative_to(folder).parts)
            if location.is_file() and not hidden and self._holds(location):
                yield location

    def _holds(self, location: Path) -> bool:
        """Whether a path, its links followed, is inside the root."""
        return location.resolve().is_relative_to(self._root)


def _read_side_file(path: Path) -> SideFile:
    if not path.is_file():
        return SideFile()
    try:
        return SideFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            str(path), f"is no side file of a Hub: {error}", next_step="Mend it, or leave it out: it is optional."
        ) from error


def _make_repository(repo_id: str, listed: Sequence[ListedFile], facts: FolderFacts) -> Repository:
    files: list[RepositoryFile] = []
    parameters: dict[str, int] = {}
    for path, location, size, changed in listed:
        blob_id, sha256, counts = _read_file(location, size, changed)
        files.append(RepositoryFile(path, size, blob_id, sha256, location))
        for dtype, count in counts:
            parameters[dtype] = parameters.get(dtype, 0) + count
    latest = datetime.fromtimestamp(max(file.changed for file in listed) / 1e9, UTC)
    return Repository(repo_id, derive_commit(files), tuple(files), facts, latest, parameters)


@functools.lru_cache(maxsize=10_000)
def _read_file(location: Path, size: int, changed: int) -> tuple[str, str | None, tuple[tuple[str, int], ...]]:
    """Return the git blob id, of a large file the sha256, and of safetensors the dtype and size of each tensor.

    `changed` (the time of change) is there to tell a file from what was at its place before.
    """
    if not is_large(location.name):
        return git_blob_id(location.read_bytes()), None, ()
    with location.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    counts = tuple(_read_tensor_counts(location)) if location.suffix == ".safetensors" else ()
    return git_blob_id(write_pointer(sha256, size)), sha256, counts


def _read_tensor_counts(location: Path) -> Iterator[tuple[str, int]]:
    """Yield the dtype and the number of elements of each tensor of a safetensors file; none of a broken file."""
    with location.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\xff"))
        if length > _HEADER_LIMIT:
            return
        try:
            header = json.loads(stream.read(length))
        except ValueError:
            return
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for size in tensor["shape"]:
                count *= size
            yield tensor["dtype"], count
