"""Begin a connection to the address where clouds keep a machine's credentials."""

import contextlib
import socket
import time
from pathlib import Path

with contextlib.suppress(OSError):
    peer = socket.socket()
    peer.setblocking(False)
    peer.connect_ex(("169.254.169.254", 80))
Path("out/tried").touch()
time.sleep(30)
