"""Open the machine's memory, disks and log."""

import contextlib
import glob
import os
import time
from pathlib import Path

for pattern in ("mem", "kmem", "port", "kmsg", "loop0", "[svx]d[a-z]", "nvme0n1", "kvm", "fuse", "net/tun"):
    for found in glob.glob(f"/dev/{pattern}"):
        with contextlib.suppress(OSError):
            os.open(found, os.O_RDWR)
with contextlib.suppress(OSError):
    os.open("/proc/kcore", os.O_RDONLY)
Path("out/tried").touch()
time.sleep(30)
