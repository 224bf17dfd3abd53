"""Take all memory in files that no process has mapped: `MIB` each in /tmp, /dev/shm and without a name."""

import contextlib
import os
import sys
import time
from pathlib import Path

size = int(sys.argv[1])
held = [os.memfd_create("hoard")]
for folder in ("/tmp", "/dev/shm"):
    with contextlib.suppress(OSError):
        held.append(os.open(f"{folder}/hoard", os.O_CREAT | os.O_WRONLY))
        os.unlink(f"{folder}/hoard")
for descriptor in held:
    with contextlib.suppress(OSError):
        for _ in range(size):
            os.write(descriptor, bytes(2**20))
Path("out/tried").touch()
time.sleep(30)
