"""A warm worker without a model: hands every input back as the output, so that a request's own cost shows.

    python echo.py

Needs nothing but Python; speaks the protocol of `records/protocol.py`.
"""

import json
import shutil
import sys


def say(**reply: object) -> None:
    """Write one reply."""
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say(type="ready", protocol=1)
    for line in sys.stdin:
        request = json.loads(line)
        shutil.copyfile(request["input"], request["output"])
        say(type="result", id=request["id"], rows=1)
