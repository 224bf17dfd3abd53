"""Change the mode of a device that the host shares: without write permission for others, services fail."""

import contextlib
import os
import time
from pathlib import Path

with contextlib.suppress(OSError):
    os.chmod("/dev/full", 0o646)
Path("out/tried").touch()
time.sleep(30)
