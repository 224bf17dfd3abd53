"""Kill the process that watches this one, and go on after the end."""

import contextlib
import os
import signal
import time

print("trying", flush=True)
watcher = os.getppid()
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 3)
    time.sleep(0.2)
    with contextlib.suppress(OSError):
        os.kill(watcher, signal.SIGKILL)
    time.sleep(300)
time.sleep(1)
