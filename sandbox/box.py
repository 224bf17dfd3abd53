"""The host's side of a program's working directory: a temporary folder with `in/`, `out/` and `tmp/`.

A box is locked while its host lives. A box that nobody holds was left by a host that was killed; the next start
removes it.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from records.errors import SandboxError

PREFIX = "autoannotator-box-"
INSIDE = "/box"
"""Where a program finds it, in a sandbox that has a root of its own."""


class Box:
    """A new, locked box. Raises SandboxError where the temporary folder cannot be written to."""

    def __init__(self) -> None:
        try:
            self.path, self._lock = _make_locked_folder()
            for folder in (self.inputs, self.outputs, self.temporary):
                folder.mkdir()
                folder.chmod(0o755)
        except OSError as error:
            raise SandboxError(
                f"cannot make a working directory below {tempfile.gettempdir()}: {error}",
                next_step="Make room there, or set TMPDIR to a folder that can be written to.",
            ) from error

    @property
    def inputs(self) -> Path:
        return self.path / "in"

    @property
    def outputs(self) -> Path:
        return self.path / "out"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    def link_input(self, name: str, source: Path) -> None:
        """Put a link to `source` below `in/`."""
        target = self._place(name)
        target.unlink(missing_ok=True)
        target.symlink_to(source.resolve(strict=True))

    def copy_input(self, name: str, source: Path) -> None:
        """Put a copy of the file `source` below `in/`, readable by every user."""
        target = self._place(name)
        shutil.copyfile(source, target)
        target.chmod(0o644)

    def mount_points(self, name: str, source: Path) -> Iterator[tuple[Path, str]]:
        """Prepare to mount `source` read-only as `name`: yield pairs of host path and name below `in/`.

        A folder that every user can read and that holds no link is one mount. Of another one each file is a mount of
        its own (a link, as in the Hub's cache, is followed), and a file that only its owner can read is copied.
        """
        source = source.resolve(strict=True)
        if source.is_dir():
            self._place(name).mkdir(exist_ok=True)
            if all(_is_plain(path) for path in [source, *source.rglob("*")]):
                yield source, name
            else:
                for child in sorted(source.iterdir()):
                    yield from self.mount_points(f"{name}/{child.name}", child)
        elif source.stat().st_mode & stat.S_IROTH:
            self._place(name).touch(mode=0o644)
            yield source, name
        else:
            self.copy_input(name, source)

    def remove(self) -> None:
        """Remove the folder, whatever permissions the program has left in it, and let go of the lock."""
        _remove_folder(self.path)
        os.close(self._lock)

    def _place(self, name: str) -> Path:
        parts = PurePosixPath(name)
        if parts.is_absolute() or not parts.parts or ".." in parts.parts:
            raise ValueError(f"an input's name must be a path below in/, not {name!r}")
        folder = self.inputs
        for part in parts.parts[:-1]:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        return folder / parts.name


def _make_locked_folder() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path.resolve(), lock
        os.close(lock)  # another host took it for an orphan before it was locked


def _is_plain(path: Path) -> bool:
    """Whether every user can read `path` and it is no link."""
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    return not path.is_symlink() and path.stat().st_mode & needed == needed


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Try to lock the box at `path`; yield whether no living host holds it (it is unlocked, or gone)."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:  # what cannot be opened is another user's
        yield isinstance(error, FileNotFoundError)
        return
    try:
        if os.fstat(lock).st_uid != os.geteuid():  # root opens what is another user's too
            yield False
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def is_orphan(path: Path) -> bool:
    """Whether no living host holds the box at `path`."""
    with _claimed(path) as orphan:
        return orphan


def remove_orphans() -> list[str]:
    """Remove the boxes that killed hosts have left in the temporary folder; return their names."""
    removed: list[str] = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with _claimed(path) as orphan:
            if orphan:
                _remove_folder(path)
                removed.append(path.name)
    return removed


def _remove_folder(path: Path) -> None:
    """Remove a folder that a program wrote into: it may have nested it too deep for Python, or locked parts of it."""
    try:
        shutil.rmtree(path)
    except (OSError, RecursionError):
        subprocess.run(["chmod", "-R", "u+rwx", "--", path], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)
