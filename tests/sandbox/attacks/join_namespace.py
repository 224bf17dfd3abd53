"""Join the namespaces of every other process that can be seen."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

if os.fork() == 0:
    for entry in Path("/proc").iterdir():
        for kind in ("user", "net", "ipc", "uts", "mnt"):
            with contextlib.suppress(OSError):
                ctypes.CDLL(None).setns(os.open(f"{entry}/ns/{kind}", os.O_RDONLY), 0)
    time.sleep(30)
time.sleep(0.3)
Path("out/tried").touch()
time.sleep(30)
