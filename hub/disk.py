"""Says what to do where this machine's disk does not take what should be kept on it: it is no fault of a source."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from records.errors import InfrastructureError

_NEXT_STEP = (
    "Make room there or mend the permissions, or set AUTOANNOTATOR_CACHE (for the Hub's own files: HF_HOME) to another "
    "folder."
)
_FAULTS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS))


@contextmanager
def keeping(what: str, folder: Path) -> Iterator[None]:
    """Raise InfrastructureError, with the folder and what to do, where the disk fails while the block runs."""
    try:
        yield
    except OSError as failure:
        raise InfrastructureError(
            f"{what} cannot be kept on this disk, in {folder}: {failure}", next_step=_NEXT_STEP
        ) from failure


def check_room(what: str, folder: Path, size: int) -> None:
    """Raise InfrastructureError where the disk of an existing folder has fewer than `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise InfrastructureError(
            f"{what} needs {size:,} bytes, and the disk of {folder} has {free:,} free.", next_step=_NEXT_STEP
        )


def find_existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it that exists: it will be on the same disk."""
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def is_disk_fault(told: str) -> bool:
    """Return whether an error's words are those of a full or a read-only disk, whatever program or library says so."""
    return any(fault in told for fault in _FAULTS)
