"""Mount something over the inputs, by the old and the new system calls."""

import ctypes
import time
from pathlib import Path

OPEN_FILE_SYSTEM, CONFIGURE, MOUNT, MOVE = 430, 431, 432, 429
SET_STRING, CREATE, HERE, FROM_EMPTY_PATH = 1, 6, -100, 4
libc = ctypes.CDLL(None)

libc.mount(b"planted-mount", b"in", b"tmpfs", 0, None)
libc.mount(b"planted-mount", b"/tmp", b"proc", 0, None)
context = libc.syscall(OPEN_FILE_SYSTEM, b"tmpfs", 0)
if context >= 0:
    libc.syscall(CONFIGURE, context, SET_STRING, b"source", b"planted-mount", 0)
    libc.syscall(CONFIGURE, context, CREATE, None, None, 0)
    libc.syscall(MOVE, libc.syscall(MOUNT, context, 0, 0), b"", HERE, b"/tmp", FROM_EMPTY_PATH)
Path("out/tried").touch()
time.sleep(30)
