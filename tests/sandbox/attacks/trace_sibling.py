"""Trace a process of one's own: what a tracer changes, no filter sees."""

import ctypes
import os
import time
from pathlib import Path

SEIZE = 0x4206
child = os.fork()
if child:
    ctypes.CDLL(None).ptrace(SEIZE, child, 0, 0)
    Path("out/tried").touch()
time.sleep(30)
