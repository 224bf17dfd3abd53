"""Name results that lie elsewhere: `PATH`, as complete while the program runs."""

import json
import os
import sys
import time
from pathlib import Path

Path("out/answer").write_text("text")
up = "/".join([".."] * 12)
names = [sys.argv[1], f"{up}{sys.argv[1]}", f"answer/../{up}{sys.argv[1]}", "..", ".", "", "/", "answer\0"]
for name in names:
    line = {"type": "progress", "id": "train", "done": 1, "total": 1, "outputs": [name]}
    os.write(1, json.dumps(line).encode() + b"\n")
print("trying", flush=True)
time.sleep(0.5)
