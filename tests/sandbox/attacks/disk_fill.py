"""Fill the disk, file by file: `MIB`, which bounds it."""

import contextlib
import sys
import time
from pathlib import Path

with contextlib.suppress(OSError):
    for number in range(int(sys.argv[1]) // 8):
        Path(f"out/part-{number}").write_bytes(b"x" * 2**23)
with contextlib.suppress(OSError):
    Path("out/part-0").unlink()
    Path("out/tried").touch()
time.sleep(30)
