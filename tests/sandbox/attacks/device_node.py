"""Make a device, through which all memory or every disk could be read."""

import contextlib
import os
import stat
import time
from pathlib import Path

for folder in ("out", "/tmp", "/dev/shm", "/dev", "."):
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        with contextlib.suppress(OSError):
            os.mknod(f"{folder}/node{kind}", kind | 0o666, os.makedev(1, 5))
Path("out/tried").touch()
time.sleep(30)
