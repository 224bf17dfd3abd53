"""Stop the kernel in the middle of a copy (userfaultfd), which makes its races easy to win."""

import ctypes
import platform
import time
from pathlib import Path

NUMBER = {"x86_64": 323, "aarch64": 282}[platform.machine()]
USER_MODE_ONLY = 1
ctypes.CDLL(None).syscall(NUMBER, USER_MODE_ONLY)
Path("out/tried").touch()
time.sleep(30)
