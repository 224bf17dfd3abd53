"""Read the environment of every process that can be seen."""

import contextlib
import re
from pathlib import Path

print("trying", flush=True)
for entry in Path("/proc").iterdir():
    if entry.name.isdigit():
        with contextlib.suppress(OSError):
            for secret in re.findall(rb"planted-[0-9a-f]+", (entry / "environ").read_bytes()):
                print(secret.decode())
