"""A plain process with limits: for what is trusted, or on a person's explicit word."""

import os
import sys
from pathlib import Path

from records.errors import SandboxError, SandboxRefusedError
from sandbox.base import OnProgress, RunResult, RunSpec, Worker
from sandbox.box import Box, remove_orphans
from sandbox.cgroups import ControlGroups
from sandbox.environment import clean_environment
from sandbox.program import Program, run_program
from sandbox.supervised import SupervisedProgram
from sandbox.worker import open_worker

HOST_PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


class ProcessSandbox:
    """Runs a program as a process of this user. **This is not a security sandbox**: the program can read and write
    whatever this user can, and it has the network.

    What it does hold: a clean environment, a working directory of its own, a wall-clock limit, limits on the size of
    a file and on open files, and an end for every process that it started, also for those that left its session,
    also when this process is killed. (A program that kills its own supervisor escapes the last.) Memory and the number
    of processes are limited by looking at all its processes ten times a second: an address space limit (RLIMIT_AS) is
    of no use with torch, which reserves far more than it uses; pages that several processes share count for each.
    `limits.storage` is not held.

    With `refusal`, a spec that is not trusted raises SandboxRefusedError with that text as the next step.
    Raises SandboxError on another system than Linux.
    """

    name = "process"
    image = ""

    def __init__(self, refusal: str = "") -> None:
        check_platform(self.name)
        self._refusal = refusal
        remove_orphans()

    @property
    def shortfalls(self) -> tuple[str, ...]:
        own = " Only this package's own scripts and models run in it." if self._refusal else ""
        return (f"It contains nothing: a program in it can do all that you can.{own}",)

    def run(self, spec: RunSpec, on_progress: OnProgress | None = None) -> RunResult:
        self._check_trust(spec)
        return run_program(lambda: self._start(spec, serve=False), spec, on_progress)

    def open(self, spec: RunSpec) -> Worker:
        self._check_trust(spec)
        return open_worker(lambda: self._start(spec, serve=True), _link_input, spec)

    def _check_trust(self, spec: RunSpec) -> None:
        if self._refusal and not spec.trusted:
            raise SandboxRefusedError(
                f"`{' '.join(spec.argv)}` is not this package's own code and there is no sandbox that contains it.",
                next_step=self._refusal,
            )

    def _start(self, spec: RunSpec, *, serve: bool) -> Program:
        box = Box()
        try:
            for name, source in spec.inputs.items():
                box.link_input(name, source)
            return SupervisedProgram(
                box,
                host_command(spec.argv),
                environment=clean_environment(spec.limits, path=HOST_PATH, temporary=str(box.temporary)),
                limits=spec.limits,
                serve=serve,
                groups=ControlGroups((), box.path.name, spec.limits),
                open_results=lambda: os.open(box.outputs, os.O_RDONLY | os.O_DIRECTORY),
            )
        except BaseException:
            box.remove()
            raise


def check_platform(name: str) -> None:
    """Raise SandboxError on another system than Linux."""
    if sys.platform != "linux":
        raise SandboxError(
            f"The sandbox `{name}` needs Linux; this is {sys.platform}.",
            next_step="Start a Docker engine, run `autoannotator doctor --build-image`, and use `--sandbox docker`.",
        )


def host_command(argv: tuple[str, ...]) -> list[str]:
    """Return `argv` with this interpreter in the place of `python`."""
    return [sys.executable if argv[0] == "python" else argv[0], *argv[1:]]


def _link_input(program: Program, name: str, source: Path) -> None:
    program.box.link_input(name, source)
