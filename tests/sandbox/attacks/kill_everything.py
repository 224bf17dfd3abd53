"""Kill every process that can be reached, the first one too: `HOST_PID_NAMESPACE`, where it does nothing."""

import contextlib
import os
import signal
import sys

print("trying", flush=True)
if os.readlink("/proc/self/ns/pid") == sys.argv[1]:
    sys.exit("this is the host's own namespace of processes: not contained at all")
for target in (1, os.getppid() or 1, -1):
    with contextlib.suppress(OSError):
        os.kill(target, signal.SIGKILL)
