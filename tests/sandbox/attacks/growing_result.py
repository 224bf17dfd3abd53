"""Let a result grow while it is copied: `MIB`, which bounds it. A warm worker."""

import json
import os
import sys
import time

print(json.dumps({"type": "ready", "protocol": 1}), flush=True)
request = json.loads(sys.stdin.readline())
answer = os.open("out/answer", os.O_CREAT | os.O_WRONLY)
os.write(answer, b"x" * 2**20)
if os.fork() == 0:
    for _ in range(int(sys.argv[1])):
        os.write(answer, b"x" * 2**20)
print(json.dumps({"type": "result", "id": request["id"], "rows": 1}), flush=True)
time.sleep(30)
