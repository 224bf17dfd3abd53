"""Enter new namespaces, where this program would be root: each kind alone, after a new user namespace too."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

USER = 0x10000000
KINDS = (USER, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000)

if os.fork() == 0:
    for kind in KINDS:
        ctypes.CDLL(None).unshare(kind)
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setuid(0)
    time.sleep(30)
time.sleep(0.2)
Path("out/tried").touch()
time.sleep(30)
