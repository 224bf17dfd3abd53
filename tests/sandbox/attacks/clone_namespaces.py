"""Start a child in a user namespace of its own, by clone and by clone3, whose flags a filter cannot read."""

import ctypes
import platform
import signal
import struct
import time
from pathlib import Path

USER = 0x10000000
CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]
CLONE3 = 435
syscall = ctypes.CDLL(None).syscall

arguments = struct.pack("11Q", USER, 0, 0, 0, signal.SIGCHLD, *[0] * 6)
if syscall(CLONE3, arguments, len(arguments)) == 0 or syscall(CLONE, USER | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    time.sleep(30)
time.sleep(0.1)
Path("out/tried").touch()
time.sleep(30)
