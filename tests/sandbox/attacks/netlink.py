"""Make a network interface: `NAME`."""

import contextlib
import socket
import struct
import sys
import time
from pathlib import Path

NEW_LINK, REQUEST_CREATE = 16, 0x0401
NAME, LINK_INFO, INFO_KIND = 3, 18, 1


def attribute(kind, value):
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


info = attribute(LINK_INFO, attribute(INFO_KIND, b"bridge"))
body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(NAME, sys.argv[1].encode() + b"\0") + info
with contextlib.suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
    kernel.send(struct.pack("IHHII", 16 + len(body), NEW_LINK, REQUEST_CREATE, 1, 0) + body)
    time.sleep(0.1)
Path("out/tried").touch()
time.sleep(30)
