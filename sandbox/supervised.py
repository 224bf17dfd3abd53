"""A program that runs as processes of this machine, under `supervise.py`."""

import json
import os
import select
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from records.errors import SandboxError
from sandbox.base import Limits
from sandbox.box import Box
from sandbox.cgroups import ControlGroups
from sandbox.program import Ending, Stream

OPEN_FILES = 1024
KILL_SECONDS = 10.0
"""How long a kill may take: a process that waits inside the kernel for a device dies only after that."""
_SUPERVISOR = Path(__file__).with_name("supervise.py")
_CHUNK = 2**16


def _no_failure() -> str:
    return ""


class SupervisedProgram:
    """Start `argv` under a supervisor that shares its life with this process (see `supervise.py`).

    `groups` hold it, and are removed with it; what they do not hold the supervisor looks at. `serve` gives the program
    a standard input. `inherited` are descriptors for it. `open_results` is called when it has started, and returns a
    descriptor of its `out/`. `explain` is asked once, when it has ended by itself, for a failure of the sandbox around
    it (empty: none). Raises OSError, and what `open_results` raises.
    """

    def __init__(
        self,
        box: Box,
        argv: list[str],
        *,
        environment: dict[str, str],
        limits: Limits,
        serve: bool,
        groups: ControlGroups,
        open_results: Callable[[], int],
        inherited: tuple[int, ...] = (),
        explain: Callable[[], str] = _no_failure,
    ) -> None:
        self.box = box
        self._limits = limits
        self._groups = groups
        self._explain = explain
        self._ending: Ending | None = None
        self._control, theirs = socket.socketpair()
        memory = 0 if groups.hold("memory") else limits.memory
        processes = 0 if groups.hold("pids") else limits.processes
        numbers = (theirs.fileno(), memory, processes, limits.file_size, OPEN_FILES)
        doors = "\n".join(str(door) for door in groups.doors)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_SUPERVISOR), *map(str, numbers), doors, *argv],
                    stdin=subprocess.PIPE if serve else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env=environment,
                    cwd=box.path,
                    start_new_session=True,  # the terminal's Ctrl-C is the host's alone
                    pass_fds=(theirs.fileno(), *inherited),
                )
        except BaseException:
            self._control.close()
            groups.remove()
            raise
        self._attach()
        try:
            self.results = open_results()
        except SandboxError as error:
            self.stop()
            said = b"".join(data for _, data in self.read(0) or []).decode(errors="replace")
            self._release()
            raise SandboxError(f"{error.what} {said}".strip(), next_step=error.next_step) from error
        except BaseException:
            self._release()
            raise

    def _attach(self) -> None:
        """Listen to the supervisor and to what the program prints."""
        self._report = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._control, selectors.EVENT_READ, 0)
        for stream, pipe in ((1, self._process.stdout), (2, self._process.stderr)):
            if pipe:
                self._selector.register(pipe, selectors.EVENT_READ, stream)
        if self._process.stdin:
            os.set_blocking(self._process.stdin.fileno(), False)

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """Return what the program has printed; None when the supervisor has ended and all is read."""
        ended = self._control not in self._selector.get_map()
        ready = self._selector.select(0 if ended else seconds)
        if ended and not ready:
            return None
        chunks: list[tuple[Stream, bytes]] = []
        for key, _ in ready:
            data = os.read(key.fd, _CHUNK)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.data == 0:
                self._report += data
            else:
                chunks.append((key.data, data))
        return chunks

    def write(self, data: bytes, seconds: float) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise BrokenPipeError("the program was started without a standard input")
        write_all(stdin.fileno(), data, seconds)

    def stop(self) -> Ending:
        if self._ending is None:
            self._ending = self._stop()
        return self._ending

    def _stop(self) -> Ending:
        self._control.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return Ending(None, failure=f"the program could not be killed within {KILL_SECONDS:g} seconds")
        while data := self._control.recv(_CHUNK):
            self._report += data
        if not self._report:
            return Ending(None, failure=f"the supervisor ended early (exit status {self._process.returncode})")
        report = json.loads(self._report)
        ended = report["exit_status"] is not None
        out_of_memory = self._groups.was_out_of_memory()
        return Ending(
            report["exit_status"],
            memory=self._limits.memory if out_of_memory else report["memory"],
            processes=report["processes"],
            failure=report["error"] or (self._explain() if ended and not out_of_memory else ""),
        )

    def close(self) -> None:
        self._release()
        os.close(self.results)
        self.box.remove()

    def _release(self) -> None:
        """Stop the program and let go of all but its results."""
        self.stop()
        self._selector.close()
        self._control.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        self._groups.remove()


def write_all(descriptor: int, data: bytes, seconds: float) -> None:
    """Write `data` to a non-blocking descriptor. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while data:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError(f"the program does not read its standard input ({seconds:g} seconds)")
        data = data[os.write(descriptor, data) :]
