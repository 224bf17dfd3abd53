"""Start more threads than the machine has: `COUNT`, which bounds it."""

import sys
import threading
import time
from pathlib import Path

threading.stack_size(2**16)
try:
    for _ in range(int(sys.argv[1])):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
except RuntimeError:
    pass
Path("out/tried").touch()
time.sleep(30)
