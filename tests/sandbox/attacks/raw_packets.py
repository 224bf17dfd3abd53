"""Listen to all packets of the network."""

import contextlib
import socket
import time
from pathlib import Path

with contextlib.suppress(OSError):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
Path("out/tried").touch()
time.sleep(30)
