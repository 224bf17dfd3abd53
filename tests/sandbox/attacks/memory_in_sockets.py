"""Keep `SIZE` MiB in the buffers of connections to itself, where version 1 of the control groups does not count it."""

import contextlib
import socket
import sys
import time
from pathlib import Path

kept, held = [], 0
with contextlib.suppress(OSError):
    server = socket.create_server(("127.0.0.1", 0))
    while held < int(sys.argv[1]) * 2**20:
        kept.append(socket.create_connection(server.getsockname()))
        kept.append(server.accept()[0])
        kept[-2].setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                held += kept[-2].send(bytes(2**16))
Path("out/tried").touch()
time.sleep(30)
