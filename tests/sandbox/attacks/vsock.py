"""Take a port of the machine's channel to its hypervisor, which no network namespace parts: `PORT`."""

import contextlib
import socket
import sys
import time
from pathlib import Path

with contextlib.suppress(OSError):
    listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    listener.bind((socket.VMADDR_CID_ANY, int(sys.argv[1])))
    listener.listen()
Path("out/tried").touch()
time.sleep(30)
