"""Holds a program that bubblewrap has set up back until the host holds its `out/` open."""

import contextlib
import json
import os
import resource
import select
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from records.errors import SandboxError
from sandbox.base import Limits
from sandbox.outputs import open_storage

SETUP_SECONDS = 30.0


class Gate:
    """A file that bubblewrap reports to (its JSON status), and a pipe on which it waits for a byte.

    `open_results` is to be called while it is entered, when bubblewrap was started with `arguments` and has inherited
    the descriptors.
    """

    def __init__(self, status: Path, results: str, limits: Limits) -> None:
        self._status = status
        self._results = results
        self._limits = limits

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._report = stack.enter_context(self._status.open("wb"))
            inside, self._block = os.pipe()
            self._inside = stack.enter_context(os.fdopen(inside, "rb"))
            stack.callback(os.close, self._block)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def inherited(self) -> tuple[int, int]:
        return self._report.fileno(), self._inside.fileno()

    @property
    def arguments(self) -> list[str]:
        return ["--json-status-fd", str(self._report.fileno()), "--block-fd", str(self._inside.fileno())]

    def open_results(self) -> int:
        """Wait for the sandbox to be set up, open its `out/`, let the program start, and return the descriptor.

        Raises SandboxError where bubblewrap ends before.
        """
        self._inside.close()  # so that the pipe breaks when bubblewrap ends
        poll = select.poll()
        poll.register(self._block, select.POLLERR)
        deadline = time.monotonic() + SETUP_SECONDS
        while not poll.poll(1) and time.monotonic() < deadline:  # a millisecond
            process = self._read_process()
            found = process and open_storage([f"/proc/{process}/root{self._results}"], self._limits.storage)
            if process and found:
                try:
                    most = self._limits.processes  # of this user in this namespace
                    resource.prlimit(process, resource.RLIMIT_NPROC, (most, most))
                    os.write(self._block, b"\n")
                except OSError:
                    os.close(found)
                    raise
                return found
        raise SandboxError(
            "bubblewrap could not set up the sandbox.",
            next_step="Try `bwrap --ro-bind / / --unshare-all true`: it says what this machine does not allow.",
        )

    def explain_failure(self) -> str:
        """Return why the program never ran; nothing where it did."""
        return "" if b'"exit-code"' in self._status.read_bytes() else "bubblewrap ended before the program did"

    def _read_process(self) -> int | None:
        """Return the id of the sandbox's first process, once bubblewrap has told it."""
        line, newline, _ = self._status.read_bytes().partition(b"\n")
        return json.loads(line)["child-pid"] if newline else None
