"""The folders of models that are ready to load: built aside under a lock, checked, and moved into place whole."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout
from huggingface_hub.utils import WeakFileLock

from hub.facts import is_commit
from records.candidate import Candidate, FileFacts, repo_of

_ASIDE = "download-"
_DAY = 86_400.0
_TRY_SECONDS = 0.1


class ModelFolders:
    """`root/<slug>/<commit>` holds a model's chosen files, checked when they came, and nothing else.

    What is being built is in `root/<slug>/download-<commit>`, under a lock beside `root`. The lock ends with the
    process that holds it, so a folder whose lock is free was left by a killed one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, slug: str, commit: str) -> Path:
        """Return where a model's folder is, or would be."""
        return self.root / slug / commit

    def holds(self, candidate: Candidate, files: Sequence[FileFacts]) -> bool:
        """Return whether a model's folder has these files, in their sizes, and no others; their content is not read."""
        sizes = {file.path: file.size for file in files}
        return list_sizes(self.place(candidate.slug, candidate.revision)) == sizes

    def list_models(self) -> Iterator[tuple[str, str, Path]]:
        """Yield the repository, the commit and the folder of every model."""
        for folder in sorted(self.root.glob("*/*")):
            if is_commit(folder.name):
                yield repo_of(folder.parent.name), folder.name, folder

    @contextmanager
    def building(self, candidate: Candidate) -> Iterator[Path]:
        """Hold the lock of a model and lend an empty folder to gather its files in; `put` moves it into place."""
        aside = self.place(candidate.slug, f"{_ASIDE}{candidate.revision}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(self._lock(candidate.slug, candidate.revision)):
            shutil.rmtree(aside, ignore_errors=True)  # a killed process left it
            files = aside / "files"
            files.mkdir(parents=True)
            try:
                yield files
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def put(self, files: Path, candidate: Candidate) -> None:
        """Move a checked folder that `building` lent into its place; only then does one that was there give way."""
        folder = self.place(candidate.slug, candidate.revision)
        if folder.exists():
            folder.rename(files.with_name("former"))
        files.rename(folder)

    def sweep(self) -> None:
        """Delete what killed processes left, and nothing that a living one still builds."""
        for aside in self.root.glob(f"*/{_ASIDE}*"):
            commit = aside.name.removeprefix(_ASIDE)
            if is_commit(commit):
                self._sweep_unlocked(aside, commit)
            elif _is_old(aside):  # earlier versions gave it a random name and no lock
                shutil.rmtree(aside, ignore_errors=True)

    def _sweep_unlocked(self, aside: Path, commit: str) -> None:
        try:
            with WeakFileLock(self._lock(aside.parent.name, commit), timeout=_TRY_SECONDS):
                shutil.rmtree(aside, ignore_errors=True)
        except Timeout:  # another process is building it
            return

    def _lock(self, slug: str, commit: str) -> Path:
        """Return a lock's file: beside `root`, and not in the Hub's cache, which another HF_HOME would move."""
        folder = self.root.with_name(f"{self.root.name}.locks") / slug
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{commit}.lock"


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _DAY
    except FileNotFoundError:  # another process was first
        return False


def list_sizes(folder: Path) -> dict[str, int]:
    """Return name → size in bytes of what is in a folder; nothing where there is none."""
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}
