"""Print more than the host's memory: `MIB`, which bounds it."""

import os
import sys

os.write(1, b"trying\n")
for _ in range(int(sys.argv[1])):
    os.write(1, (b"x" * 99 + b"\n") * 10_000)
    os.write(2, (b"y" * 99 + b"\n") * 10_000)
