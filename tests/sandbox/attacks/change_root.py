"""Leave the root folder: chroot, and out of it by a working directory that lies outside."""

import contextlib
import os
import time
from pathlib import Path

Path("out/jail").mkdir()
Path("out/tried").touch()
with contextlib.suppress(OSError):
    os.chroot("out/jail")
time.sleep(30)
