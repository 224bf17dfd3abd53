"""Has results parsed before anybody relies on them, by a process of its own that may use little and can be lost."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from sandbox.base import Output

SECONDS = 60.0
"""How long the parsing of one result may take."""
_PARSER = Path(__file__).with_name("formats.py")


class UnfitOutput(Exception):
    """A declared result is missing, is no regular file, is too large, or is not of its format."""


class Inspector:
    """Parses files in one process (see `formats.py`), started at the first. Close it at the end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def check(self, path: Path, output: Output) -> None:
        """Raise UnfitOutput, with the reason, where the file is not of the output's format or decodes to too much.

        Raises OSError where the parser cannot be started.
        """
        process = self._process = self._process or _start()
        request = {"path": str(path.absolute()), "format": output.format, "limit": output.limit}
        reply = _ask(process, json.dumps(request).encode() + b"\n")
        if reply is None:
            self.close()
            raise UnfitOutput(f"could not be parsed as {output.format} with the memory and the time allowed")
        if reply["error"]:
            raise UnfitOutput(f"is not fit: {reply['error']}")

    def close(self) -> None:
        """End the process; the next check starts another."""
        if self._process:
            with self._process:
                self._process.kill()
            self._process = None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", str(_PARSER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        start_new_session=True,  # the terminal's Ctrl-C is the host's alone
    )


def _ask(process: subprocess.Popen[bytes], request: bytes) -> dict[str, str] | None:
    """Return the parser's reply; None where it ended, or has none in time."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the parser was started without pipes")
    try:
        process.stdin.write(request)
    except BrokenPipeError:
        return None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    if not poll.poll(SECONDS * 1000):
        return None
    line = process.stdout.readline()  # it writes a line at once, or ends
    return json.loads(line) if line.endswith(b"\n") else None
