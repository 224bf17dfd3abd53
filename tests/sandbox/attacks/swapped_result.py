"""Swap a result for a link to a file of the host, again and again, while it is copied: `PATH`. A warm worker."""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path

EXCHANGE, HERE = 2, -100
libc = ctypes.CDLL(None)


def swap():
    while True:
        libc.renameat2(HERE, b"out/answer", HERE, b"out/other", EXCHANGE)


def keep():
    """Have an answer there at once, whenever the host has taken one away."""
    while True:
        for path in ("out/answer", "out/other"):
            if not os.path.lexists(path):
                with contextlib.suppress(OSError):
                    Path(path).write_text("harmless") if path == "out/answer" else os.symlink(sys.argv[1], path)


os.symlink(sys.argv[1], "out/other")
Path("out/answer").write_text("harmless")
if os.fork() == 0:
    swap()
if os.fork() == 0:
    keep()
print(json.dumps({"type": "ready", "protocol": 1}), flush=True)
for line in sys.stdin:
    while not os.path.lexists("out/answer"):
        pass
    print(json.dumps({"type": "result", "id": json.loads(line)["id"], "rows": 1}), flush=True)
