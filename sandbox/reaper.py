"""Ends what runs in the Docker engine for this process when this process has ended, however it ended.

Containers are children of the engine and would go on: an interrupted terminal or a SIGKILL leaves no time to end them.
"""

import os
import subprocess
import sys
import weakref

_WAIT = "import sys; sys.stdin.read(); sys.path[:] = sys.argv[1:]; from sandbox.docker_engine import remove_left; "
"""It imports nothing before there is something to do."""


class Reaper:
    """A process that waits for this one's end. It is stopped when nothing refers to this object any more, and when
    this process ends in order: whoever has a container keeps it."""

    def __init__(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", f"{_WAIT}remove_left()", *map(os.path.abspath, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # the terminal's Ctrl-C is the host's alone
        )
        weakref.finalize(self, _stop, process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    with process:
        pass
