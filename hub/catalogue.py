"""Reads a catalogue: a file of JSON lines, each the record of a model without its weights, as repositories.

Served are `config.json` and `README.md`; of other files there are names, sizes and hashes. Hashes that a record does
not give are derived from its id and the file's name, so that two models never share one. A line with a `slug` is a
collection.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from hub.repositories import (
    Collection,
    HubFacts,
    Repository,
    RepositoryFile,
    derive_commit,
    git_blob_id,
    is_large,
    write_pointer,
)
from records.base import Record
from records.errors import DataError

_FIRST_DATE = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)  # what the Hub shows for repositories older than its dates
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


class CatalogueFile(Record):
    """A file by its name, its size in bytes, and its sha256 where it is known."""

    path: str
    size: int = Field(ge=0)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


class CatalogueModel(HubFacts):
    """One line: the facts of a model, its whole configuration and card, and the list of its files.

    `parameters` is the total; `invented` says that there is no such model, `source` where the record was read.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")
    config: dict[str, Any] | None = None
    card: str = ""
    files: tuple[CatalogueFile, ...] = ()
    parameters: int | None = Field(default=None, ge=0)
    invented: bool = False
    source: str | None = None


class Catalogue:
    """The repositories of a catalogue, read once. Raises DataError with the line that is not a record."""

    def __init__(self, path: Path) -> None:
        collections: list[Collection] = []
        self._repositories: dict[str, Repository] = {}
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                record = _read_line(line)
            except ValueError as error:
                raise DataError(
                    str(path), f"line {number} is no record of a model: {error}", next_step="Mend that line."
                ) from error
            if isinstance(record, Collection):
                collections.append(record)
            else:
                self._repositories[record.id] = _make_repository(record)
        self.collections = tuple(collections)

    def __iter__(self) -> Iterator[Repository]:
        return iter(self._repositories.values())

    def versions(self, repo_id: str) -> tuple[Repository, ...]:
        """Return the repository of this id, at its only commit; empty where there is none."""
        return (self._repositories[repo_id],) if repo_id in self._repositories else ()


def _read_line(line: bytes) -> Collection | CatalogueModel:
    """Raises ValueError (of which pydantic's and json's errors are kinds) where the line is neither."""
    value = json.loads(line)
    kind = Collection if isinstance(value, dict) and "slug" in value else CatalogueModel
    return kind.model_validate_json(line)


def _make_repository(record: CatalogueModel) -> Repository:
    contents: dict[str, bytes] = {}
    if record.config is not None:
        contents["config.json"] = json.dumps(record.config, indent=2, ensure_ascii=False).encode()
    if record.card or any(file.path == "README.md" for file in record.files):
        contents["README.md"] = record.card.encode()
    files = [RepositoryFile(path, len(text), git_blob_id(text), None, text) for path, text in contents.items()]
    files += [_name_file(record.id, file) for file in record.files if file.path not in contents]
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Repository(record.id, derive_commit(ordered), ordered, record, _FIRST_DATE, _count_parameters(record))


def _name_file(repo_id: str, file: CatalogueFile) -> RepositoryFile:
    """Return a file without content, under the hash that is known or one derived from its name."""
    derived = f"{repo_id} {file.path} {file.size}".encode()
    if file.sha256 is None and not is_large(file.path):
        return RepositoryFile(file.path, file.size, git_blob_id(derived), None, None)
    sha256 = file.sha256 or hashlib.sha256(derived).hexdigest()
    return RepositoryFile(file.path, file.size, git_blob_id(write_pointer(sha256, file.size)), sha256, None)


def _count_parameters(record: CatalogueModel) -> dict[str, int]:
    """Return the total under its dtype. Like the Hub, only of safetensors."""
    if not record.parameters or not any(file.path.endswith(".safetensors") for file in record.files):
        return {}
    config = record.config or {}
    return {_DTYPES.get(str(config.get("dtype", config.get("torch_dtype"))), "F32"): record.parameters}
