"""What every sandbox makes of a RunSpec: a started program with its box, driven to its end and judged."""

import contextlib
import re
import signal
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from pydantic import ValidationError

from records.errors import SandboxError
from records.protocol import WorkerProgress
from sandbox.base import Cause, Limits, OnProgress, Output, RunResult, RunSpec
from sandbox.box import Box
from sandbox.inspection import Inspector, UnfitOutput
from sandbox.lines import BrokenProtocol, LineReader
from sandbox.outputs import copy_outputs, is_full

Stream = Literal[1, 2]
"""Standard output or standard error."""
MOST_PROGRESS = 10_000
"""Lines of progress that one run or one request may write."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Ending(NamedTuple):
    """How a program ended."""

    exit_status: int | None
    """Its own, 128 + N where signal N ended it; None where it was stopped."""
    memory: int = 0
    """Bytes in use when it was killed for its memory, else 0."""
    processes: int = 0
    """Processes and threads when it was killed for their number, else 0."""
    failure: str = ""
    """What went wrong with the sandbox itself."""


class Program(Protocol):
    """A started program. It holds processes, files and perhaps a container until `close`."""

    @property
    def box(self) -> Box: ...

    @property
    def results(self) -> int:
        """A descriptor of its `out/`, good until `close`."""
        ...

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
        return make_plain(bytes(self._head + note + self._tail).decode(errors="replace"))


def make_plain(text: str) -> str:
    """Return `text` with every character escaped that moves a terminal's cursor or turns the writing's direction."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n").replace("\r", "\n"))


class Session:
    """A program under way, with what it has printed. `close` ends it, and leaves nothing on this machine."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.program = program
        self._inspector = Inspector()
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

    def collect(self, outputs: dict[str, Output]) -> tuple[Cause, str]:
        """Copy outputs to the host; return `ok`, or what is wrong with one."""
        try:
            copy_outputs(self.program.results, outputs, self._inspector)
        except UnfitOutput as error:
            return "output", make_plain(str(error))
        except OSError as error:
            return "infra", f"an output cannot be written to the host: {error}"
        return "ok", ""

    def end(self, cause: Cause = "ok", detail: str = "", outputs: dict[str, Output] | None = None) -> RunResult:
        """Stop the program and say how it ended: with `cause`, or worse where it says so itself.

        `outputs` are copied out where all went well.
        """
        ending = self.program.stop()
        own_cause, own_detail = judge(ending, self._limits, self.program.results)
        if own_cause in ("infra", "oom") or (cause in ("ok", "exit") and own_cause != "ok"):
            cause, detail = own_cause, own_detail
        if cause == "ok" and outputs:
            cause, detail = self.collect(outputs)
        return RunResult(
            cause=cause,
            exit_status=ending.exit_status,
            stdout=self._printed[1].text,
            stderr=self._printed[2].text,
            seconds=time.monotonic() - self._began,
            detail=detail,
        )

    def close(self) -> None:
        self._inspector.close()
        self.program.close()


class ProgressTeller:
    """Passes on a program's progress, after the outputs were copied out that it names as complete."""

    def __init__(self, session: Session, outputs: dict[str, Output], on_progress: OnProgress | None) -> None:
        self._session = session
        self._outputs = outputs
        self._on_progress = on_progress
        self._told = 0

    def tell(self, progress: WorkerProgress, deadline: float) -> None:
        """Raise BrokenProtocol where it names an output that was not declared or is unfit, or where it never ends."""
        if time.monotonic() > deadline:
            raise TimeoutError
        self._told += 1
        if self._told > MOST_PROGRESS:
            raise BrokenProtocol(f"more than {MOST_PROGRESS} lines of progress")
        if unknown := set(progress.outputs) - self._outputs.keys():
            raise BrokenProtocol(f"its progress names outputs that were not declared: {sorted(unknown)!r}")
        cause, detail = self._session.collect({name: self._outputs[name] for name in progress.outputs})
        if cause != "ok":
            raise BrokenProtocol(detail, cause)
        if self._on_progress:
            self._on_progress(progress)


def judge(ending: Ending, limits: Limits, results: int) -> tuple[Cause, str]:
    """Name the cause of an ending, and the numbers."""
    status = ending.exit_status
    if ending.failure:
        return "infra", ending.failure
    if ending.memory:
        return "oom", f"{ending.memory} bytes of memory in use, {limits.memory} are allowed"
    if ending.processes:
        return "exit", f"{ending.processes} processes and threads, {limits.processes} are allowed"
    if not status:
        return "ok", ""
    if status == 128 + signal.SIGXFSZ or is_full(results, limits.file_size):
        allowed = f"{limits.file_size} bytes a file and {limits.storage} in all"
        return "disk", f"it wrote more than it may ({allowed}; exit status {status})"
    is_signal = status - 128 in set(signal.Signals)
    return "exit", f"ended by {signal.Signals(status - 128).name}" if is_signal else f"exit status {status}"


def run_program(start: Callable[[], Program], spec: RunSpec, on_progress: OnProgress | None) -> RunResult:
    """Start a program, wait for its end or its deadline, and copy its outputs."""
    try:
        program = start()
    except (SandboxError, OSError) as error:
        return RunResult(cause="infra", exit_status=None, stdout="", stderr="", seconds=0.0, detail=str(error))
    session = Session(program, spec.limits)
    try:
        return _follow(session, spec, on_progress)
    finally:
        session.close()


def _follow(session: Session, spec: RunSpec, on_progress: OnProgress | None) -> RunResult:
    deadline = time.monotonic() + spec.limits.seconds
    lines = LineReader()
    teller = ProgressTeller(session, spec.outputs, on_progress)
    try:
        while (data := session.read(deadline)) is not None:
            for line in lines.feed(data) if on_progress else ():
                with contextlib.suppress(ValidationError):  # anything else is log
                    teller.tell(WorkerProgress.model_validate_json(line), deadline)
    except BrokenProtocol as error:
        return session.end(error.cause, str(error))
    except TimeoutError:
        return session.end("timeout", f"not finished after {spec.limits.seconds:g} seconds")
    return session.end(outputs=spec.outputs)
