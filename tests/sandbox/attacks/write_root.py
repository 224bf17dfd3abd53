"""Leave a file where the next program looks for its code: `NAME FOLDER…`."""

import contextlib
import sys
import time
from pathlib import Path

name, *folders = sys.argv[1:-1]
for folder in folders:
    with contextlib.suppress(OSError):
        Path(folder, name).write_text("import os")
Path("out/tried").touch()
time.sleep(30)
