"""The sandbox protocol. Implementations do not inherit from it; one contract suite holds them to it.

Inside, a program finds its working directory with `in/` (what the spec and the requests hand in, read-only where
the sandbox can hold that) and `out/` (the only place where it may leave results). Paths in `argv` and in requests
are relative to that directory, so that they read the same in every sandbox. `python` as the first word of `argv`
is the sandbox's own interpreter. `out/` is the only place from which anything leaves, and only what was declared.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from records.protocol import AnnotateRequest, WorkerProgress, WorkerReady, WorkerResult

Cause = Literal["ok", "exit", "timeout", "oom", "output", "disk", "infra"]
"""Why a program ended. `ok exit timeout oom output disk` are the program's doing (`output`: a declared result is
missing, is no regular file, is too large or is not of its format, or a warm worker broke the protocol; `disk`: it wrote
more than it may), `infra` is the sandbox's."""

Format = Literal["parquet", "safetensors", "json", "text"]
"""What may leave a sandbox. Each is parsed by the host before anybody reads it."""


@dataclass(frozen=True)
class Limits:
    """What a program may use; times in seconds of wall clock, sizes in bytes."""

    seconds: float = 600.0
    memory: int = 6 * 2**30
    """Of all its processes together, with what they keep in `out/` and `/tmp`."""
    processes: int = 256
    """Threads count too."""
    storage: int = 4 * 2**30
    """What `out/` may hold."""
    output: int = 2**20
    """Captured standard output and error, each: the beginning and the end; what is between is dropped and said so."""
    file_size: int = 2 * 2**30
    """Of one file written."""
    threads: int = 2
    """Processors and numeric threads."""


@dataclass(frozen=True)
class Output:
    """A result: the host path that it is copied to, and what it has to be."""

    target: Path
    format: Format
    limit: int = 2**30
    """Bytes, of the file and of what it decodes to."""
    optional: bool = False
    """Whether the program may leave it out."""


@dataclass(frozen=True)
class RunSpec:
    """A program to run: `inputs` maps a name below `in/` to a file or folder of the host, `outputs` a name below
    `out/` to the regular file that is to be there at the end (a warm worker's outputs are those of its requests)."""

    argv: tuple[str, ...]
    inputs: dict[str, Path] = field(default_factory=dict[str, Path])
    outputs: dict[str, Output] = field(default_factory=dict[str, Output])
    limits: Limits = Limits()
    trusted: bool = False
    """Whether every script and weight in it is this package's own (see `graphs.jobs`)."""


@dataclass(frozen=True)
class RunResult:
    """How a program ended. `exit_status` is 128 + N after signal N, and None where the sandbox stopped it. `detail`
    says in words what `cause` says in one, with the numbers."""

    cause: Cause
    exit_status: int | None
    stdout: str
    stderr: str
    seconds: float
    detail: str = ""


class WorkerDied(Exception):
    """A warm worker ended or broke the protocol; `result` says how, with what it printed.

    Not an AutoAnnotatorError: the caller decides whether the script, the data or the machine is to blame.
    """

    def __init__(self, result: RunResult) -> None:
        super().__init__(f"{result.cause}: {result.detail}")
        self.result = result


class RequestFailed(Exception):
    """A warm worker answered one request with an error and goes on serving."""


OnProgress = Callable[[WorkerProgress], None]
"""Told of each step, after the outputs that it names as complete were copied out."""


class Worker(Protocol):
    """A warm process. Use it as a context manager; leaving it ends the process and all its children."""

    @property
    def ready(self) -> WorkerReady:
        """What the worker said of itself when it was ready."""
        ...

    def request(
        self,
        request: AnnotateRequest,
        *,
        inputs: dict[str, Path],
        outputs: dict[str, Output],
        seconds: float,
        on_progress: OnProgress | None = None,
    ) -> WorkerResult:
        """Hand in `inputs` (file name in `in/` → host file), send the request, copy `outputs` (by file name in `out/`)
        out, and remove both from the working directory.

        Raises WorkerDied (the worker is gone: crash, timeout, out of memory, broken protocol, missing or unfit
        output) or RequestFailed (this request failed, the worker lives).
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Sandbox(Protocol):
    """A place to run programs in. `name` is docker, bwrap or process."""

    @property
    def name(self) -> str: ...

    @property
    def image(self) -> str:
        """The digest of the image that programs run in; empty where there is none."""
        ...

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What it cannot hold on this machine, each with what to change, in words for a person."""
        ...

    def run(self, spec: RunSpec, on_progress: OnProgress | None = None) -> RunResult:
        """Run a program to its end; with `on_progress`, its lines on standard output that are a WorkerProgress are
        told as they come. Never raises for what the program does; raises SandboxError never either:
        a failure of the sandbox is a result with the cause `infra`. Raises SandboxRefusedError where the sandbox does
        not contain what is not trusted."""
        ...

    def open(self, spec: RunSpec) -> Worker:
        """Start a warm worker and wait for its `ready` line. Raises WorkerDied where it does not come
        within `spec.limits.seconds`, and SandboxRefusedError as `run` does."""
        ...
