"""Watch the processor's counters (perf_event_open), which tell what others compute."""

import ctypes
import platform
import struct
import time
from pathlib import Path

NUMBER = {"x86_64": 298, "aarch64": 241}[platform.machine()]
SOFTWARE, CLOCK, EXCLUDE_KERNEL = 1, 0, 1 << 5
attributes = struct.pack("IIQQQQQ", SOFTWARE, 112, CLOCK, 0, 0, 0, EXCLUDE_KERNEL) + bytes(64)
ctypes.CDLL(None).syscall(NUMBER, attributes, 0, -1, -1, 0)
Path("out/tried").touch()
time.sleep(30)
