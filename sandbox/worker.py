"""A warm worker over any started program: one JSON object a line each way, every wait bounded by a deadline."""

import contextlib
import os
import secrets
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
    WorkerReady,
    WorkerReply,
    WorkerResult,
)
from sandbox.base import Cause, OnProgress, Output, RequestFailed, RunResult, RunSpec, WorkerDied
from sandbox.lines import BrokenProtocol, LineReader
from sandbox.program import Program, ProgressTeller, Session, make_plain

AddInput = Callable[[Program, str, Path], None]
"""Makes a file of the host appear below `in/` of a running program."""


def copy_input(program: Program, name: str, source: Path) -> None:
    """Hand a file in as a copy: for a sandbox that shows the box's `in/` and not the host's files."""
    program.box.copy_input(name, source)


def open_worker(start: Callable[[], Program], add_input: AddInput, spec: RunSpec) -> "WarmWorker":
    """Start a program and wait for its `ready` line. Raises WorkerDied where it does not come in time."""
    try:
        program = start()
    except (SandboxError, OSError) as error:
        result = RunResult(cause="infra", exit_status=None, stdout="", stderr="", seconds=0.0, detail=str(error))
        raise WorkerDied(result) from error
    session = Session(program, spec.limits)
    try:
        return WarmWorker(session, add_input, spec)
    except BaseException:
        session.close()
        raise


class WarmWorker:
    """A program that serves. One request at a time; not for use by several threads at once."""

    def __init__(self, session: Session, add_input: AddInput, spec: RunSpec) -> None:
        self._session = session
        self._add_input = add_input
        self._reader = LineReader()
        self._lines: list[bytes] = []
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
        outputs: dict[str, Output],
        seconds: float,
        on_progress: OnProgress | None = None,
    ) -> WorkerResult:
        """See `sandbox.base.Worker.request`. Input and output names are plain file names."""
        if self._dead:
            raise WorkerDied(self._dead)
        for name in [*inputs, *outputs]:
            if Path(name).name != name:
                raise ValueError(f"a request's file must lie directly in in/ or out/, not at {name!r}")
        if self._lines:
            self._die("output", f"it said {self._lines[0][:200]!r} before it was asked")
        deadline = time.monotonic() + seconds
        asked = request.model_copy(update={"id": secrets.token_hex(8)})  # no answer to it can be ready before
        self._send(asked, inputs, seconds)
        try:
            teller = ProgressTeller(self._session, outputs, on_progress)
            result = self._await_result(asked.id, request.id, deadline, teller)
            cause, detail = self._session.collect(outputs)
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
        self._session.close()

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

    def _await_result(self, request_id: str, told_as: str, deadline: float, teller: ProgressTeller) -> WorkerResult:
        while True:
            reply = self._next_reply(deadline)
            if isinstance(reply, WorkerReady) or reply.id != request_id:
                self._die("output", f"a reply to request {request_id!r} was expected, not {reply!r}")
            if isinstance(reply, WorkerResult):
                return reply.model_copy(update={"id": told_as})
            if isinstance(reply, WorkerFailure):
                raise RequestFailed(make_plain(reply.error))
            try:
                teller.tell(reply.model_copy(update={"id": told_as}), deadline)
            except TimeoutError:
                self._die("timeout", "no reply within the time allowed")
            except BrokenProtocol as error:
                self._die(error.cause, str(error))

    def _next_reply(self, deadline: float) -> WorkerReply:
        while not self._lines:
            try:
                data = self._session.read(deadline)
                self._lines = self._reader.feed(data or b"")
            except TimeoutError:
                self._die("timeout", "no reply within the time allowed")
            except BrokenProtocol as error:
                self._die(error.cause, str(error))
            if data is None:
                self._die("exit", "it ended instead of serving")
        line = self._lines.pop(0)
        try:
            return WORKER_REPLY.validate_json(line)
        except ValidationError:
            self._die("output", f"this line on standard output is no reply: {line[:200].decode(errors='replace')!r}")

    def _discard(self, inputs: dict[str, Path], outputs: dict[str, Output]) -> None:
        """Remove a finished request's files, so that the box does not grow with the rows."""
        program = self._session.program
        for name in inputs:
            (program.box.inputs / name).unlink(missing_ok=True)
        for name in outputs:
            with contextlib.suppress(OSError):  # not there, or no file: the worker's own business
                os.unlink(name, dir_fd=program.results)

    def _die(self, cause: Cause, detail: str) -> NoReturn:
        self._dead = self._session.end(cause, detail)
        raise WorkerDied(self._dead)
