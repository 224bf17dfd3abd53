"""A warm worker over any started program: one JSON object a line each way, every wait bounded by a deadline."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from pydantic import ValidationError

from records.errors import SandboxError
from records.protocol import (
    PROTOCOL_VERSION,
    WORKER_REPLY,
    AnnotateRequest,
    WorkerFailure,
    WorkerProgress,
    WorkerReady,
    WorkerReply,
    WorkerResult,
)
from sandbox.base import Cause, RequestFailed, RunResult, RunSpec, WorkerDied
from sandbox.program import Program, Session, collect

LONGEST_LINE = 2**16
"""Bytes; a worker that writes a longer line breaks the protocol."""

AddInput = Callable[[Program, str, Path], None]
"""Makes a file of the host appear below `in/` of a running program."""


def open_worker(start: Callable[[], Program], add_input: AddInput, spec: RunSpec) -> "WarmWorker":
    """Start a program and wait for its `ready` line. Raises WorkerDied where it does not come in time."""
    try:
        program = start()
    except (SandboxError, OSError) as error:
        result = RunResult(cause="infra", exit_status=None, stdout="", stderr="", seconds=0.0, detail=str(error))
        raise WorkerDied(result) from error
    try:
        return WarmWorker(program, add_input, spec)
    except BaseException:
        program.close()
        raise


class WarmWorker:
    """A program that serves. One request at a time; not for use by several threads at once."""

    def __init__(self, program: Program, add_input: AddInput, spec: RunSpec) -> None:
        self._session = Session(program, spec.limits)
        self._add_input = add_input
        self._limits = spec.limits
        self._unread = b""
        self._dead: RunResult | None = None
        first = self._next_reply(time.monotonic() + spec.limits.seconds)
        if not isinstance(first, WorkerReady) or first.protocol != PROTOCOL_VERSION:
            self._die("output", f"its first line must be `ready` with protocol {PROTOCOL_VERSION}, not {first!r}")
        self._ready = first

    @property
    def ready(self) -> WorkerReady:
        return self._ready

    def request(
        self,
        request: AnnotateRequest,
        *,
        inputs: dict[str, Path],
        outputs: dict[str, Path],
        seconds: float,
        on_progress: Callable[[WorkerProgress], None] | None = None,
    ) -> WorkerResult:
        """See `sandbox.base.Worker.request`. Input and output names are plain file names."""
        if self._dead:
            raise WorkerDied(self._dead)
        for name in [*inputs, *outputs]:
            if Path(name).name != name:
                raise ValueError(f"a request's file must lie directly in in/ or out/, not at {name!r}")
        deadline = time.monotonic() + seconds
        self._send(request, inputs, seconds)
        try:
            result = self._await_result(request.id, deadline, on_progress)
            cause, detail = collect(self._session.program.box, outputs, self._limits)
            if cause != "ok":
                self._die(cause, detail)
        finally:
            self._discard(inputs, outputs)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.program.close()

    def _send(self, request: AnnotateRequest, inputs: dict[str, Path], seconds: float) -> None:
        try:
            for name, source in inputs.items():
                self._add_input(self._session.program, name, source)
        except OSError as error:
            self._die("infra", f"an input cannot be handed in: {error}")
        try:
            self._session.program.write(request.model_dump_json().encode() + b"\n", seconds)
        except TimeoutError as error:
            self._die("timeout", str(error))
        except OSError:  # it no longer reads: its end, or the lack of a reply, says why
            pass

    def _await_result(
        self, request_id: str, deadline: float, on_progress: Callable[[WorkerProgress], None] | None
    ) -> WorkerResult:
        while True:
            reply = self._next_reply(deadline)
            if isinstance(reply, WorkerReady) or reply.id != request_id:
                self._die("output", f"a reply to request {request_id!r} was expected, not {reply!r}")
            if isinstance(reply, WorkerResult):
                return reply
            if isinstance(reply, WorkerFailure):
                raise RequestFailed(reply.error)
            if on_progress:
                on_progress(reply)

    def _next_reply(self, deadline: float) -> WorkerReply:
        while b"\n" not in self._unread:
            if len(self._unread) > LONGEST_LINE:
                self._die("output", f"a line of more than {LONGEST_LINE} bytes on standard output")
            try:
                data = self._session.read(deadline)
            except TimeoutError:
                self._die("timeout", "no reply within the time allowed")
            if data is None:
                self._die("exit", "it ended instead of serving")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            return WORKER_REPLY.validate_json(line)
        except ValidationError:
            self._die("output", f"this line on standard output is no reply: {line[:200].decode(errors='replace')!r}")

    def _discard(self, inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
        """Remove a finished request's files, so that the box does not grow with the rows."""
        box = self._session.program.box
        for path in [*(box.inputs / name for name in inputs), *(box.outputs / name for name in outputs)]:
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)

    def _die(self, cause: Cause, detail: str) -> NoReturn:
        self._dead = self._session.end(cause, detail)
        raise WorkerDied(self._dead)
