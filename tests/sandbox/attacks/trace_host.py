"""Trace a process of the host, and with that become it: `PID`."""

import ctypes
import sys
import time
from pathlib import Path

SEIZE = 0x4206
ctypes.CDLL(None).ptrace(SEIZE, int(sys.argv[1]), 0, 0)
Path("out/tried").touch()
time.sleep(30)
