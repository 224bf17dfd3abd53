"""A person at a terminal: a command in a pseudo-terminal, whose question is answered, or which is killed at it."""

import os
import pty
import subprocess
import time

from tests.conftest import ROOT


def talk(command: list[str], environment: dict[str, str], asked: str, answer: str | None) -> str:
    """Run a command and return what it wrote; where it asks, give the answer and wait for its end, or kill it (None).

    `asked` is the end of the question.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**environment, "COLUMNS": "200"}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the terminal closed: the process has ended
            break
        if asked.encode() in said and answer is None:
            process.kill()
        elif answer and asked.encode() in said:
            os.write(ours, answer.encode())
            answer = ""
    process.wait(timeout=60)
    os.close(ours)
    return said.decode(errors="replace")
