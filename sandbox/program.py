"""What every sandbox makes of a RunSpec: a started program with its box, driven to its end and judged."""

import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from records.errors import SandboxError
from sandbox.base import Cause, Limits, RunResult, RunSpec
from sandbox.box import Box
from sandbox.outputs import UnfitOutput, copy_outputs

Stream = Literal[1, 2]
"""Standard output or standard error."""


class Ending(NamedTuple):
    """How a program ended."""

    exit_status: int | None
    """Its own, 128 + N where signal N ended it; None where it was stopped."""
    memory: int = 0
    """Bytes in use when it was killed for its memory, else 0."""
    failure: str = ""
    """What went wrong with the sandbox itself."""


class Program(Protocol):
    """A started program. It holds processes, files and perhaps a container until `close`."""

    @property
    def box(self) -> Box: ...

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """Return what it has printed, waiting at most `seconds` for something; None when it has ended."""
        ...

    def write(self, data: bytes, seconds: float) -> None:
        """Write to its standard input. Raises TimeoutError where it does not take the data within `seconds`,
        BrokenPipeError where it no longer reads."""
        ...

    def stop(self) -> Ending:
        """Kill what is left of it, grandchildren too, and return how it ended. Can be called again."""
        ...

    def close(self) -> None:
        """Stop it and remove all that it left on this machine."""
        ...


class Capture:
    """Keeps the first and the last bytes of a stream, `limit` together, and says what was dropped between them."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = max(len(self._tail) - self._half, 0)
        self._dropped += excess
        del self._tail[:excess]

    @property
    def text(self) -> str:
        note = f"\n[{self._dropped} bytes dropped]\n".encode() if self._dropped else b""
        return bytes(self._head + note + self._tail).decode(errors="replace")


class Session:
    """A program under way, with what it has printed."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.program = program
        self._limits = limits
        self._began = time.monotonic()
        self._printed = {1: Capture(limits.output), 2: Capture(limits.output)}

    def read(self, deadline: float) -> bytes | None:
        """Wait for output; return what came on standard output, None at the program's end.

        Raises TimeoutError at `deadline` (on the monotonic clock).
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        chunks = self.program.read(left)
        if chunks is None:
            return None
        for stream, data in chunks:
            self._printed[stream].add(data)
        return b"".join(data for stream, data in chunks if stream == 1)

    def end(self, cause: Cause = "ok", detail: str = "", outputs: dict[str, Path] | None = None) -> RunResult:
        """Stop the program and say how it ended: with `cause`, or worse where it says so itself.

        `outputs` are copied out where all went well.
        """
        ending = self.program.stop()
        own_cause, own_detail = judge(ending, self._limits, self.program.box.outputs)
        if own_cause in ("infra", "oom") or (cause in ("ok", "exit") and own_cause != "ok"):
            cause, detail = own_cause, own_detail
        if cause == "ok" and outputs:
            cause, detail = collect(self.program.box, outputs, self._limits)
        return RunResult(
            cause=cause,
            exit_status=ending.exit_status,
            stdout=self._printed[1].text,
            stderr=self._printed[2].text,
            seconds=time.monotonic() - self._began,
            detail=detail,
        )


def judge(ending: Ending, limits: Limits, outputs: Path) -> tuple[Cause, str]:
    """Name the cause of an ending, and the numbers."""
    status = ending.exit_status
    if ending.failure:
        return "infra", ending.failure
    if ending.memory:
        return "oom", f"{ending.memory} bytes of memory in use, {limits.memory} are allowed"
    if status is None or status == 0:
        return "ok", ""
    if status == 128 + signal.SIGXFSZ or _holds_full_file(outputs, limits.file_size):
        return "disk", f"a file reached {limits.file_size} bytes, the largest size allowed (exit status {status})"
    if status - 128 in set(signal.Signals):
        return "exit", f"ended by {signal.Signals(status - 128).name}"
    return "exit", f"exit status {status}"


def collect(box: Box, outputs: dict[str, Path], limits: Limits) -> tuple[Cause, str]:
    """Copy the outputs to the host; return `ok`, or what is wrong with one."""
    try:
        copy_outputs(box.outputs, outputs, limits.file_size)
    except UnfitOutput as error:
        return "output", str(error)
    except OSError as error:
        return "infra", f"an output cannot be written to the host: {error}"
    return "ok", ""


def run_program(start: Callable[[], Program], spec: RunSpec) -> RunResult:
    """Start a program, wait for its end or its deadline, and copy its outputs."""
    try:
        program = start()
    except (SandboxError, OSError) as error:
        return RunResult(cause="infra", exit_status=None, stdout="", stderr="", seconds=0.0, detail=str(error))
    try:
        session = Session(program, spec.limits)
        deadline = time.monotonic() + spec.limits.seconds
        try:
            while session.read(deadline) is not None:
                pass
        except TimeoutError:
            return session.end("timeout", f"not finished after {spec.limits.seconds:g} seconds")
        return session.end(outputs=spec.outputs)
    finally:
        program.close()


def _holds_full_file(folder: Path, size: int) -> bool:
    """Whether a file in `folder`, or in a folder in it, has reached `size` bytes."""
    found = [path.lstat() for path in (*folder.glob("*"), *folder.glob("*/*"))]
    return any(stat.S_ISREG(one.st_mode) and one.st_size >= size for one in found)
