"""Take all memory in small shares, each process a little: `MIB`, which bounds it."""

import os
import sys
import time
from pathlib import Path

for _ in range(int(sys.argv[1]) // 32):
    if os.fork() == 0:
        hoard = b"x" * 2**25
        time.sleep(30)
time.sleep(1)
Path("out/tried").touch()
time.sleep(30)
