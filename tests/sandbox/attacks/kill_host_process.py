"""Kill a process of the host: `PID`."""

import contextlib
import os
import signal
import sys

print("trying", flush=True)
with contextlib.suppress(OSError):
    os.kill(int(sys.argv[1]), signal.SIGKILL)
