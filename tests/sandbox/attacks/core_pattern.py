"""Open for writing what names the programs that the kernel starts as root."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

READ_WRITE, REMOUNT, BIND = 0, 32, 4096
ctypes.CDLL(None).mount(None, b"/proc/sys", None, READ_WRITE | REMOUNT | BIND, None)
for name in ("core_pattern", "modprobe", "hotplug", "poweroff_cmd", "domainname"):
    for way in ("/proc/sys/kernel", "/proc/self/root/proc/sys/kernel", "/proc/thread-self/root/proc/sys/kernel"):
        with contextlib.suppress(OSError):
            os.open(f"{way}/{name}", os.O_WRONLY)
Path("out/tried").touch()
time.sleep(30)
