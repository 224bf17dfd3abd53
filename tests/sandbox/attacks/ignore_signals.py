"""Ignore every signal that can be ignored, and do not end."""

import contextlib
import os
import signal
import time

for number in signal.valid_signals():
    with contextlib.suppress(OSError):
        signal.signal(number, signal.SIG_IGN)
print("trying", flush=True)
if os.fork() == 0:
    os.setsid()
while True:
    time.sleep(30)
