"""Leave data for the next program, or find what was left: `leave SECRET` or `find`."""

import contextlib
import glob
import os
import re
import sys
from pathlib import Path

FOLDERS = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue", str(Path.home()), "out", "in", ".")

print("trying", flush=True)
for folder in FOLDERS:
    if sys.argv[1] == "leave":
        with contextlib.suppress(OSError):
            Path(folder, "planted-state").write_text(sys.argv[2])
    else:
        for found in glob.glob(f"{folder}/planted-state"):
            print(*re.findall("planted-[0-9a-f]+", Path(found).read_text()))
            os.unlink(found)
