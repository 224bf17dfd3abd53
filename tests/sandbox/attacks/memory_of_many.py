"""Take all memory in small shares, each process a little: `MIB`, which bounds it."""

import os
import signal
import sys
import time
from pathlib import Path

count = int(sys.argv[1]) // 32
signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))  # one was killed
reader, writer = os.pipe()
for _ in range(count):
    if os.fork() == 0:
        hoard = b"x" * 2**25
        os.write(writer, b".")
        time.sleep(30)
while count and os.read(reader, 1):
    count -= 1
Path("out/tried").touch()
time.sleep(30)
