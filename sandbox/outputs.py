"""Copies results out of a box that an untrusted program wrote into, perhaps still writes into.

No link is followed, at any level; only regular files are copied, and no more bytes than allowed; a result appears at
its place whole or not at all.
"""

import os
import stat
from pathlib import Path, PurePosixPath

from records.folder import written_whole

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Non-blocking, so that a named pipe cannot make the host wait."""
_CHUNK = 2**20
_DEEPEST = 16
"""Folders in one another, in a result."""


class UnfitOutput(Exception):
    """A declared result is missing, is no regular file or folder, or is too large."""


def copy_outputs(folder: Path, outputs: dict[str, Path], limit: int) -> None:
    """Copy each of `outputs` (a name below `folder` → the host's path), none larger than `limit` bytes in all.

    Raises UnfitOutput, with the name and the reason, at the first that cannot be copied.
    """
    for name, target in outputs.items():
        try:
            with written_whole(target) as temporary:
                _copy_result(folder, name, temporary, limit)
        except UnfitOutput as error:
            raise UnfitOutput(f"out/{name} {error}") from None


def _copy_result(folder: Path, name: str, target: Path, limit: int) -> None:
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for part in PurePosixPath(name).parts:
            opened.append(_open_below(opened[-1], part))
        _copy(opened[-1], target, limit, _DEEPEST)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _open_below(folder: int, name: str) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=folder)
    except FileNotFoundError:
        raise UnfitOutput("is missing") from None
    except OSError as error:
        raise UnfitOutput(f"cannot be read ({error.strerror}); it must be a regular file or a folder") from None


def _copy(source: int, target: Path, limit: int, depth: int) -> int:
    """Copy an open file or folder; return how many of the `limit` bytes are left."""
    mode = os.fstat(source).st_mode
    if stat.S_ISREG(mode):
        return _copy_file(source, target, limit)
    if not stat.S_ISDIR(mode):
        raise UnfitOutput("is neither a regular file nor a folder")
    if depth == 0:
        raise UnfitOutput(f"holds folders nested more than {_DEEPEST} deep")
    target.mkdir()
    for name in sorted(os.listdir(source)):
        child = _open_below(source, name)
        try:
            limit = _copy(child, target / name, limit, depth - 1)
        finally:
            os.close(child)
    return limit


def _copy_file(source: int, target: Path, limit: int) -> int:
    with target.open("xb") as copy:
        while chunk := os.read(source, _CHUNK):
            limit -= len(chunk)
            if limit < 0:
                raise UnfitOutput("is larger than the limits allow")
            copy.write(chunk)
    return limit
