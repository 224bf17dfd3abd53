"""Become another user: root, the host's first user, nobody, anybody."""

import contextlib
import os
import time
from pathlib import Path

for user in (0, 1, 1000, 4242, 65534):
    if os.fork() == 0:
        for change in (lambda: os.setresuid(user, user, user), lambda: os.setreuid(-1, user)):  # noqa: B023
            with contextlib.suppress(OSError):
                change()
        time.sleep(30)
time.sleep(0.1)
Path("out/tried").touch()
time.sleep(30)
