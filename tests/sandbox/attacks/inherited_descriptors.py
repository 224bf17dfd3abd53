"""Read from and write to every descriptor that was left open."""

import contextlib
import os
import re

print("trying", flush=True)
for descriptor in range(3, 1024):
    with contextlib.suppress(OSError):
        for secret in re.findall(rb"planted-[0-9a-f]+", os.pread(descriptor, 4096, 0)):
            print(secret.decode())
