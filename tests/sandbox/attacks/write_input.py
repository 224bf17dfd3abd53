"""Change the rows: every way to write to `in/data`, or to put another file in its place."""

import contextlib
import mmap
import os
from pathlib import Path

DATA = "in/data"


def overwrite():
    Path(DATA).write_text("changed")


def reopen():
    seen = os.open(DATA, os.O_PATH)
    os.write(os.open(f"/proc/self/fd/{seen}", os.O_WRONLY), b"changed")


def map_it():
    descriptor = os.open(DATA, os.O_RDWR)
    mmap.mmap(descriptor, 4)[:4] = b"chan"


print("trying", flush=True)
ways = (
    lambda: os.chmod(DATA, 0o666),
    overwrite,
    lambda: os.truncate(DATA, 0),
    reopen,
    map_it,
    lambda: os.utime(DATA, (0, 0)),
    lambda: os.setxattr(DATA, "user.changed", b"1"),
    lambda: os.unlink(os.path.realpath(DATA)),
    lambda: os.rename("out", "in"),
)
for way in ways:
    with contextlib.suppress(OSError):
        way()
