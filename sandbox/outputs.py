"""Copies results out of a folder that an untrusted program wrote into, perhaps still writes into.

Only what was declared leaves, only regular files, reached without following a link, and no more bytes than allowed.
The copy is parsed (see `sandbox.inspection`) before it appears at its place, whole or not at all.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from records.folder import written_whole
from sandbox.base import Output
from sandbox.inspection import Inspector, UnfitOutput

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 2**20


def open_storage(places: Iterable[str], size: int) -> int | None:
    """Open the first of `places` that is a file system of `size` bytes (rounded up to pages); None where none is.

    The descriptor keeps that file system alive, also when all that could write to it is dead.
    """
    for place in places:
        with contextlib.suppress(OSError):
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            status = os.fstatvfs(folder)
            if status.f_blocks == -(-size // status.f_bsize):
                return folder
            os.close(folder)
    return None


def is_full(folder: int, file_size: int) -> bool:
    """Whether there is no room in the file system of `folder`, or a file in `folder` has reached `file_size` bytes."""
    status = os.fstatvfs(folder)
    if status.f_bavail == 0 or (status.f_files and status.f_ffree == 0):
        return True
    with os.scandir(folder) as entries:
        return any(entry.is_file(follow_symlinks=False) and entry.stat().st_size >= file_size for entry in entries)


class MissingOutput(UnfitOutput):
    """A declared result is not there."""


def copy_outputs(folder: int, outputs: dict[str, Output], inspector: Inspector) -> None:
    """Copy each of `outputs` (by its name below `folder`, an open directory) to its place on the host.

    Raises UnfitOutput, with the name and the reason, at the first that cannot be copied.
    """
    for name, output in outputs.items():
        try:
            with written_whole(output.target) as temporary:
                _copy_result(folder, name, temporary, output.limit)
                inspector.check(temporary, output)
        except UnfitOutput as error:
            if not (output.optional and isinstance(error, MissingOutput)):
                raise UnfitOutput(f"out/{name} {error}") from None


def _copy_result(folder: int, name: str, target: Path, limit: int) -> None:
    *parents, last = PurePosixPath(name).parts
    opened: list[int] = []
    try:
        for part in parents:
            opened.append(_open_below(opened[-1] if opened else folder, part, os.O_DIRECTORY))
        # Non-blocking, so that a named pipe cannot make the host wait.
        opened.append(_open_below(opened[-1] if opened else folder, last, os.O_NONBLOCK))
        _copy_file(opened[-1], target, limit)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _open_below(folder: int, name: str, flag: int) -> int:
    try:
        return os.open(name, _OPEN | flag, dir_fd=folder)
    except FileNotFoundError:
        raise MissingOutput("is missing") from None
    except OSError as error:
        raise UnfitOutput(f"is no regular file ({error.strerror})") from None


def _copy_file(source: int, target: Path, limit: int) -> None:
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        raise UnfitOutput("is no regular file")
    left = limit - status.st_size
    with target.open("xb") as copy:
        while left >= 0 and (chunk := os.read(source, _CHUNK)):
            copy.write(chunk)
            left = limit - copy.tell()  # it may grow while it is copied
    if left < 0:
        raise UnfitOutput(f"is larger than {limit} bytes, the largest size allowed")
