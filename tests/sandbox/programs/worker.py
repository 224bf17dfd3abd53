"""A warm worker without a model: the text of a request's input file says what to do."""
# ruff: noqa: T201

import json
import sys
import time
from pathlib import Path


def say(**message):
    print(json.dumps(message), flush=True)


def upper(request, words):
    say(type="progress", id=request["id"], done=1, total=2)
    Path(request["output"]).write_text(" ".join(words).upper())


def save(request, words):
    for step in (1, 2):
        Path(request["output"]).write_text(f"step {step}")
        say(type="progress", id=request["id"], done=step, total=2, outputs=["answer"])
        time.sleep(0.2)
    Path(request["output"]).write_text("end")


def name_other(request, words):
    say(type="progress", id=request["id"], done=1, total=2, outputs=["other"])


def answer_ahead(request, words):
    Path(request["output"]).write_text("")
    lines = [json.dumps({"type": "result", "id": name, "rows": 1}) for name in (request["id"], *words)]
    print("\n".join(lines), flush=True)
    time.sleep(0.2)


def list_files(request, words):
    names = [path.name for folder in ("in", "out") for path in Path(folder).iterdir()]
    Path(request["output"]).write_text(" ".join(sorted(names)))


def crash(request, words):
    raise RuntimeError("the model has no such layer")


def leave(request, words):
    sys.exit(0)


def sleep(request, words):
    time.sleep(60)


def babble(request, words):
    print("Loading weights...", flush=True)


def grow(request, words):
    hoard = bytearray(2**30)
    time.sleep(60)
    return hoard


def spill(request, words):
    print("x" * 10**6, end="", flush=True)
    time.sleep(60)


def answer_another(request, words):
    say(type="result", id="another", rows=1)


def write_nothing(request, words):
    pass


def link(request, words):
    Path(request["output"]).symlink_to("/etc/passwd")


def serve():
    say(type="ready", protocol=1, model_type="none", parameters=3)
    for line in sys.stdin:
        request = json.loads(line)
        action, *words = Path(request["input"]).read_text().split()
        if action == "refuse":
            say(type="error", id=request["id"], error="no such label")
            continue
        globals()[action](request, words)
        if action != "answer_ahead":
            say(type="result", id=request["id"], rows=len(words), tokens=7)


serve()
