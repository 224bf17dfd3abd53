"""Take all memory: `MIB`, which bounds it."""

import sys
import time
from pathlib import Path

hoard = []
for _ in range(int(sys.argv[1]) // 16):
    hoard.append(b"x" * 2**24)
Path("out/tried").touch()
time.sleep(30)
