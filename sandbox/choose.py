"""Chooses a sandbox by name, and says what this machine has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from records.errors import SandboxError
from records.settings import SandboxName
from sandbox.base import Limits, RunSpec, Sandbox
from sandbox.bubblewrap import BubblewrapSandbox
from sandbox.docker_engine import DockerSandbox
from sandbox.process import ProcessSandbox

_CONTAINING: dict[str, Callable[[], Sandbox]] = {"docker": DockerSandbox, "bwrap": BubblewrapSandbox}
"""The sandboxes that contain untrusted code, the better first."""

_REFUSAL = (
    "Install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`), or start a Docker engine and run "
    "`autoannotator doctor --build-image`; `autoannotator doctor` says what is missing. `--sandbox process` runs it "
    "without a sandbox, as you: it can then read and change all your files."
)


@dataclass(frozen=True)
class SandboxFinding:
    """What `doctor` says of one sandbox. `missing` and `next_step` are empty where it is available."""

    name: str
    available: bool
    missing: str = ""
    next_step: str = ""


def choose_sandbox(name: SandboxName) -> Sandbox:
    """Return the named sandbox, after a trial program ran in it.

    `auto` is Docker where an engine answers and the image is there, else bubblewrap where it works, else a plain
    process that runs trusted specs only (any other raises SandboxRefusedError). Raises SandboxError where the sandbox
    that was asked for cannot be used.
    """
    if name == "process":
        return ProcessSandbox()
    if name != "auto":
        return _prepare(name)
    for candidate in _CONTAINING:
        try:
            return _prepare(candidate)
        except SandboxError:  # `probe_sandboxes` tells why
            continue
    return ProcessSandbox(refusal=_REFUSAL)


def probe_sandboxes() -> tuple[SandboxFinding, ...]:
    """Try every sandbox, the one that `auto` prefers first."""
    return tuple(_probe(name) for name in (*_CONTAINING, "process"))


def _probe(name: str) -> SandboxFinding:
    try:
        _prepare(name)
    except SandboxError as error:
        return SandboxFinding(name, available=False, missing=error.what, next_step=error.next_step)
    return SandboxFinding(name, available=True)


def _prepare(name: str) -> Sandbox:
    """Make a sandbox and run a program in it that reads a file of this machine."""
    sandbox = _CONTAINING.get(name, ProcessSandbox)()
    trial = RunSpec(
        argv=("python", "-c", "open('in/trial').read()"),
        inputs={"trial": Path(__file__)},
        limits=Limits(seconds=60),
        trusted=True,
    )
    result = sandbox.run(trial)
    if result.cause != "ok":
        raise SandboxError(
            f"A trial program did not run in the sandbox `{name}`: {result.cause}, {result.detail}\n{result.stderr}",
            next_step="Use another sandbox; `autoannotator doctor` says which are available here.",
        )
    return sandbox
