"""Answer a request that was not sent yet, with rows that were ready before. A warm worker."""

import json
import sys
from pathlib import Path

Path("out/answer").write_text("forged")
print(json.dumps({"type": "ready", "protocol": 1}), flush=True)
print(json.dumps({"type": "result", "id": "r1", "rows": 1}), flush=True)
sys.stdin.read()
