"""Send data to a listener of the host over TCP: `ADDRESS,… PORT`."""

import contextlib
import socket
import sys

print("trying", flush=True)
for address in sys.argv[1].split(","):
    with contextlib.suppress(OSError), socket.create_connection((address, int(sys.argv[2])), timeout=0.5) as peer:
        peer.sendall(b"stolen rows")
