"""Hand back a named pipe: whoever opens it waits."""
# ruff: noqa: T201

import os

print("trying", flush=True)
os.mkfifo("out/answer")
