"""Open what only root may read of the kernel's own state, where no capability is asked for."""

import contextlib
import os
import time
from pathlib import Path

for name in ("slabinfo", "vmallocinfo", "kpagecount", "kpageflags", "kpagecgroup", "pagetypeinfo", "timer_list"):
    with contextlib.suppress(OSError):
        os.open(f"/proc/{name}", os.O_RDONLY)
Path("out/tried").touch()
time.sleep(30)
