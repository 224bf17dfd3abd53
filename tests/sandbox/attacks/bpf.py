"""Load into the kernel (bpf): a map first."""

import ctypes
import platform
import struct
import time
from pathlib import Path

NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, ARRAY = 0, 2
attributes = struct.pack("IIII", ARRAY, 4, 8, 1) + bytes(56)
ctypes.CDLL(None).syscall(NUMBER, MAP_CREATE, attributes, len(attributes))
Path("out/tried").touch()
time.sleep(30)
