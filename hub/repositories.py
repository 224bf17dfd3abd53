"""Reads a folder of model repositories `DIR/owner/name/` as the Hub would describe them."""

import functools
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

_LARGE_FILE_SUFFIX = ".safetensors"
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True)
class RepositoryFile:
    """One file: where it is, its size in bytes, its git blob id, and for safetensors its sha256."""

    path: str
    location: Path
    size: int
    blob_id: str
    sha256: str | None

    @property
    def etag(self) -> str:
        """What identifies the content: the sha256 of a large file, else the git blob id."""
        return self.sha256 or self.blob_id


@dataclass(frozen=True)
class Repository:
    """One repository at its only commit. `commit` is a hash of its files: the same files, the same commit."""

    repo_id: str
    commit: str
    modified: datetime
    files: tuple[RepositoryFile, ...]

    @functools.cached_property
    def card(self) -> dict:
        """The metadata at the head of README.md; empty where there is none or it is not valid YAML."""
        text = self._read_text("README.md")
        if not text.startswith("---\n"):
            return {}
        try:
            metadata = yaml.safe_load(text[4:].partition("\n---")[0])
        except yaml.YAMLError:
            return {}
        return metadata if isinstance(metadata, dict) else {}

    @functools.cached_property
    def config(self) -> dict:
        """The content of config.json; empty where there is none or it is not a JSON object."""
        try:
            config = json.loads(self._read_text("config.json") or "{}")
        except ValueError:
            return {}
        return config if isinstance(config, dict) else {}

    @functools.cached_property
    def tags(self) -> list[str]:
        """The tags that the Hub derives from the card, the configuration and the files."""
        card = self.card
        found = [card.get("library_name"), self.config.get("model_type"), card.get("pipeline_tag")]
        found += ["safetensors"] if any(file.sha256 for file in self.files) else []
        found += _as_list(card.get("tags")) + _as_list(card.get("language"))
        found += [f"dataset:{name}" for name in _as_list(card.get("datasets"))]
        found += [f"base_model:{name}" for name in _as_list(card.get("base_model"))]
        found += [f"license:{name}" for name in _as_list(card.get("license"))]
        return list(dict.fromkeys(str(tag) for tag in found if tag))

    def find(self, path: str) -> RepositoryFile | None:
        """Return the file at `path`, or None."""
        return next((file for file in self.files if file.path == path), None)

    def count_parameters(self) -> dict[str, int]:
        """Return the number of parameters of each dtype, over all safetensors files."""
        counts: dict[str, int] = {}
        for file in self.files:
            if file.sha256:
                for dtype, count in _read_tensor_counts(file.location):
                    counts[dtype] = counts.get(dtype, 0) + count
        return counts

    def _read_text(self, path: str) -> str:
        file = self.find(path)
        return file.location.read_text(encoding="utf-8", errors="replace") if file else ""


def _is_repo_id(repo_id: str) -> bool:
    """Whether the Hub's own client takes the name; other folders are none of its repositories."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        return False
    return repo_id.count("/") == 1


class RepositoryFolder:
    """A folder of repositories, read anew at each question; hashes are kept while size and time stay the same."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def find(self, repo_id: str) -> Repository | None:
        """Return the repository `owner/name`, or None where there is no such folder inside the root."""
        owner, _, name = repo_id.partition("/")
        return self._read(owner, name)

    def __iter__(self) -> Iterator[Repository]:
        for folder in sorted(self._root.glob("*/*")):
            repository = self._read(folder.parent.name, folder.name)
            if repository is not None:
                yield repository

    def _read(self, owner: str, name: str) -> Repository | None:
        folder = self._root / owner / name
        if not _is_repo_id(f"{owner}/{name}") or not folder.is_dir() or not self._holds(folder):
            return None
        files = tuple(self._list_files(folder))
        return _make_repository(f"{owner}/{name}", files) if files else None

    def _list_files(self, folder: Path) -> Iterator[RepositoryFile]:
        for location in sorted(folder.rglob("*")):
            path = location.relative_to(folder)
            hidden = any(part.startswith(".") for part in path.parts)
            if location.is_file() and not hidden and self._holds(location):
                facts = location.stat()
                blob_id, sha256 = _hash_content(location, facts.st_size, facts.st_mtime_ns)
                yield RepositoryFile(path.as_posix(), location, facts.st_size, blob_id, sha256)

    def _holds(self, location: Path) -> bool:
        """Whether a path, its links followed, is inside the root."""
        return location.resolve().is_relative_to(self._root)


def _make_repository(repo_id: str, files: tuple[RepositoryFile, ...]) -> Repository:
    listing = "".join(f"{file.blob_id} {file.path}\n" for file in files)
    modified = max(file.location.stat().st_mtime for file in files)
    commit = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
    return Repository(repo_id, commit, datetime.fromtimestamp(modified, UTC), files)


@functools.lru_cache(maxsize=10_000)
def _hash_content(location: Path, size: int, modified_ns: int) -> tuple[str, str | None]:
    """Return the git blob id and, of a large file, the sha256. Git keeps a pointer in place of a large file."""
    if location.suffix != _LARGE_FILE_SUFFIX:
        return _git_blob_id(location.read_bytes()), None
    with location.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return _git_blob_id(write_pointer(sha256, size)), sha256


def write_pointer(sha256: str, size: int) -> bytes:
    """Return what git keeps in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _git_blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


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


def _as_list(value: object) -> list:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
