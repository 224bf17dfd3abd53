"""Open for writing the limits of this program, and the agent that the kernel starts as root (release_agent)."""

import contextlib
import ctypes
import glob
import os
import time
from pathlib import Path

NAMES = ("release_agent", "memory.limit_in_bytes", "memory.max", "pids.max", "cgroup.procs")
libc = ctypes.CDLL(None)
Path("/tmp/groups").mkdir()
for options in (b"memory", b"pids", b"cpuset", b"rdma"):
    if libc.mount(b"cgroup", b"/tmp/groups", b"cgroup", 0, options) == 0:
        break
else:
    libc.mount(b"cgroup2", b"/tmp/groups", b"cgroup2", 0, None)
for name in NAMES:
    for way in ("/tmp/groups", "/sys/fs/cgroup", "/sys/fs/cgroup/*"):
        for found in glob.glob(f"{way}/{name}"):
            with contextlib.suppress(OSError):
                os.open(found, os.O_WRONLY)
Path("out/tried").touch()
time.sleep(30)
