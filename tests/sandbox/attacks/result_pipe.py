"""Hand back a named pipe: whoever opens it waits."""

import os

print("trying", flush=True)
os.mkfifo("out/answer")
