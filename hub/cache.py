"""Says where downloads are kept, and keeps files of repositories in the layout of `huggingface_hub`'s own cache."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.utils import WeakFileLock

from hub.facts import is_commit
from hub.library import is_configured_hub
from records.candidate import FileFacts
from records.folder import file_sha256

CACHE_VARIABLE = "AUTOANNOTATOR_CACHE"
_PREFIX = "models--"
_CHUNK = 1 << 20


def default_cache() -> Path:
    """Return the folder for downloads: `$AUTOANNOTATOR_CACHE`, else `~/.cache/autoannotator`."""
    configured = os.environ.get(CACHE_VARIABLE)
    return Path(configured) if configured else Path.home() / ".cache" / "autoannotator"


def ordinary_hub_cache() -> Path:
    """Return the folder that every program with `huggingface_hub` keeps repositories in: `$HF_HUB_CACHE`, else
    `$HF_HOME/hub`, as read now (the library reads them once)."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(named or Path(home) / "hub")).expanduser()


@dataclass(frozen=True)
class HubFolders:
    """Where the files of one hub are kept: `repositories` in the library's layout, and `models` with a folder of
    chosen files a model and commit."""

    repositories: Path
    models: Path


def choose_folders(endpoint: str, cache: Path, embedded: str | None) -> HubFolders:
    """Return the folders for a hub.

    Only the configured endpoint shares the ordinary cache with other programs: what any other hub serves under a
    name and a commit need not be what the public Hub has there, and another program would load it unasked.
    """
    if embedded is None and is_configured_hub(endpoint):
        return HubFolders(ordinary_hub_cache(), cache / "models")
    own = cache / "hubs" / (embedded or _name_address(endpoint))
    return HubFolders(own / "hub", own / "models")


def _name_address(endpoint: str) -> str:
    """Return a folder name for an address that a person can read, and that no other address has."""
    address = re.sub(r"//[^/@]*@", "//", endpoint)  # never a password
    readable = re.sub(r"[^\w.-]+", "-", address.partition("//")[2] or address).strip("-.")
    return f"{readable:.60}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


class RepositoryCache:
    """Files by their content, `blobs/<hash>`, and links to them by their names, `snapshots/<commit>/<name>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def blob(self, repo_id: str, content_hash: str) -> Path:
        """Return where the file with this content is, or would be."""
        return self._repository(repo_id) / "blobs" / content_hash

    def find(self, repo_id: str, revision: str, file: FileFacts) -> Path | None:
        """Return the cached file, unchecked, or None. Where links are not possible a snapshot holds it itself."""
        content_hash = announced_hash(file)
        places = [self.blob(repo_id, content_hash)] if content_hash else []
        places.append(self.snapshot(repo_id, revision) / file.path)
        return next((place for place in places if place.is_file()), None)

    def snapshot(self, repo_id: str, revision: str) -> Path:
        """Return the folder of a repository's files at a commit."""
        return self._repository(repo_id) / "snapshots" / revision

    def link(self, repo_id: str, revision: str, name: str, blob: Path) -> None:
        """Make a cached file known under its name at a commit; a name that is there stays as it is."""
        pointer = self.snapshot(repo_id, revision) / name
        pointer.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(pointer):
            return
        try:
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        except OSError:  # no links on this file system, or another process was first
            if not os.path.lexists(pointer):
                shutil.copyfile(blob, pointer)

    def lock(self, repo_id: str, name: str) -> AbstractContextManager[object]:
        """Hold a lock of a repository; for a file, by its hash, the one that the library takes for it too."""
        folder = self.root / ".locks" / self._repository(repo_id).name
        folder.mkdir(parents=True, exist_ok=True)
        return WeakFileLock(folder / f"{name}.lock")

    def snapshots(self) -> Iterator[tuple[str, str, Path]]:
        """Yield the repository, the commit and the folder of every snapshot."""
        for folder in sorted(self.root.glob(f"{_PREFIX}*/snapshots/*")):
            if is_commit(folder.name):
                yield folder.parents[1].name.removeprefix(_PREFIX).replace("--", "/"), folder.name, folder

    def _repository(self, repo_id: str) -> Path:
        return self.root / f"{_PREFIX}{repo_id.replace('/', '--')}"


def announced_hash(file: FileFacts) -> str | None:
    """Return the hash that the Hub announces of a file, which also names it in the cache: sha256, else git blob id."""
    return file.sha256 or file.blob_id


def hash_as_announced(path: Path, file: FileFacts) -> str:
    """Return the hash of a file on this disk, of the kind that is announced of `file`."""
    return file_sha256(path) if file.sha256 else hash_as_git(path)


def hash_as_git(path: Path) -> str:
    """Return the name that git has for a file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
