"""Make more files than the disk has entries for, each of them empty: `COUNT`, which bounds it."""

import contextlib
import os
import sys
import time

os.mkdir("out/many")
with contextlib.suppress(OSError):
    for number in range(int(sys.argv[1])):
        os.close(os.open(f"out/many/{number}", os.O_CREAT | os.O_WRONLY))
with contextlib.suppress(OSError):
    os.rename("out/many/0", "out/tried")
time.sleep(30)
