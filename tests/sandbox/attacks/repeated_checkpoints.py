"""Say again and again that a large result is complete, so that the host works past the deadline: `COUNT`."""

import json
import os
import sys
import time
from pathlib import Path

Path("out/answer").write_bytes(b"x" * 2**26)
line = json.dumps({"type": "progress", "id": "r1", "done": 1, "total": 1, "outputs": ["answer"]}).encode() + b"\n"
os.write(1, line * int(sys.argv[1]))
time.sleep(30)
