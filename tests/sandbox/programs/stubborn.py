"""A worker that is ready and then neither reads nor ends, and neither does its grandchild outside its session."""
# ruff: noqa: T201

import json
import subprocess
import sys
import time

if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "grandchild"], start_new_session=True)
    print(json.dumps({"type": "ready", "protocol": 1}), flush=True)
time.sleep(600)
