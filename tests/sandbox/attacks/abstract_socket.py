"""Speak to a service of the host through its abstract socket, which lies in no file system: `NAME`."""

import contextlib
import socket
import sys

print("trying", flush=True)
with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as service:
    service.connect(f"\0{sys.argv[1]}")
    service.sendall(b"obey")
