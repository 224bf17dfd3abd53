"""Join the namespaces of every other process that can be seen."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

KINDS = ("user", "net", "ipc", "uts", "mnt")

if os.fork() == 0:
    own = {os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS}
    for entry in Path("/proc").iterdir():
        for kind in KINDS:
            with contextlib.suppress(OSError):
                if os.readlink(f"{entry}/ns/{kind}") not in own:
                    ctypes.CDLL(None).setns(os.open(f"{entry}/ns/{kind}", os.O_RDONLY), 0)
    time.sleep(30)
time.sleep(0.3)
Path("out/tried").touch()
time.sleep(30)
