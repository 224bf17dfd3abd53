"""Make the read-only mounts writable, by mount, mount_setattr and umount, and write to `in/data`."""

import contextlib
import ctypes
import struct
from pathlib import Path

READ_ONLY, REMOUNT, BIND, DETACH = 1, 32, 4096, 2
SET_ATTRIBUTES, HERE = 442, -100
libc = ctypes.CDLL(None)

print("trying", flush=True)
clear_read_only = struct.pack("QQQQ", 0, READ_ONLY, 0, 0)
for place in (b"in/data", b"in", b"/box/in", b"/box", b"/"):
    libc.mount(None, place, None, REMOUNT | BIND, None)
    libc.syscall(SET_ATTRIBUTES, HERE, place, 0, clear_read_only, len(clear_read_only))
    with contextlib.suppress(OSError):
        Path("in/data").write_text("changed")
libc.umount2(b"in/data", DETACH)
with contextlib.suppress(OSError):
    Path("in/data").write_text("changed")
