"""Read a key that the host keeps in the kernel (keyctl): `DESCRIPTION`."""

import ctypes
import platform
import sys

SEARCH, READ, LINK = 10, 11, 8
NUMBER = {"x86_64": 250, "aarch64": 219}[platform.machine()]
syscall = ctypes.CDLL(None).syscall
print("trying", flush=True)
for keyring in (-1, -2, -3, -4, -5):
    key = syscall(NUMBER, SEARCH, keyring, b"user", sys.argv[1].encode(), 0)
    payload = ctypes.create_string_buffer(200)
    if key > 0 and syscall(NUMBER, READ, key, payload, len(payload)) > 0:
        print(payload.value.decode())
