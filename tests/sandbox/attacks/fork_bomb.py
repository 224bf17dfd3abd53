"""Start more processes than the machine has: `COUNT`, which bounds it."""

import os
import sys
import time
from pathlib import Path

for _ in range(int(sys.argv[1])):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    except OSError:
        break
Path("out/tried").touch()
time.sleep(30)
