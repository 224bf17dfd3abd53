"""Chooses a sandbox by name, and says what this machine has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from records.errors import SandboxError, SettingsError
from records.settings import SandboxName
from sandbox.base import Limits, RunSpec, Sandbox
from sandbox.bubblewrap import BubblewrapSandbox
from sandbox.docker_engine import DEFAULTS, DockerOptions, DockerSandbox
from sandbox.process import ProcessSandbox

CONTAINING: tuple[SandboxName, ...] = ("docker", "bwrap")
"""The sandboxes that contain untrusted code, the better first."""

_REFUSAL = (
    "Install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`), or start a Docker engine and run "
    "`autoannotator doctor --build-image`; `autoannotator doctor` says what is missing. `--sandbox process` runs it "
    "without a sandbox, as you: it can then read and change all your files."
)


def _tell_nobody(_: str) -> None:
    pass


@dataclass(frozen=True)
class SandboxFinding:
    """What `doctor` says of one sandbox. `missing` and `next_step` are empty where it is available; `shortfalls` is
    what it cannot hold here."""

    name: str
    available: bool
    missing: str = ""
    next_step: str = ""
    shortfalls: tuple[str, ...] = ()


def choose_sandbox(
    name: SandboxName, options: DockerOptions = DEFAULTS, tell: Callable[[str], None] = _tell_nobody
) -> Sandbox:
    """Return the named sandbox, after a trial program ran in it.

    `auto` is Docker where an engine answers and the image is there, else bubblewrap where it works, else a plain
    process that runs trusted specs only (any other raises SandboxRefusedError). A runtime or a GPU in the `options` is
    Docker's alone. `tell` hears why `auto` passed one over. Raises SandboxError where the sandbox that was asked for
    cannot be used, and SettingsError where the options do not fit it.
    """
    if options.runtime is not None or options.gpus is not None:
        if name not in ("auto", "docker"):
            raise SettingsError(
                f"The sandbox `{name}` takes no --sandbox-runtime and no --gpus.", next_step="Use `--sandbox docker`."
            )
        name = "docker"
    makers: dict[str, Callable[[], Sandbox]] = {
        "docker": lambda: DockerSandbox(options=options),
        "bwrap": BubblewrapSandbox,
        "process": ProcessSandbox,
    }
    if name != "auto":
        return _try_out(makers[name]())
    for candidate in CONTAINING:
        try:
            return _try_out(makers[candidate]())
        except SandboxError as error:
            tell(f"the sandbox {candidate} was passed over: {error.what.splitlines()[0]}")
    return ProcessSandbox(refusal=_REFUSAL)


def probe_sandboxes() -> tuple[SandboxFinding, ...]:
    """Try every sandbox, the one that `auto` prefers first."""
    return tuple(_probe(name) for name in (*CONTAINING, "process"))


def _probe(name: SandboxName) -> SandboxFinding:
    try:
        sandbox = choose_sandbox(name)
    except SandboxError as error:
        return SandboxFinding(name, available=False, missing=error.what, next_step=error.next_step)
    return SandboxFinding(name, available=True, shortfalls=sandbox.shortfalls)


def _try_out(sandbox: Sandbox) -> Sandbox:
    """Run a program in it that reads a file of this machine; return it. Raises SandboxError."""
    trial = RunSpec(
        argv=("python", "-c", "open('in/trial').read()"),
        inputs={"trial": Path(__file__)},
        limits=Limits(seconds=60),
        trusted=True,
    )
    result = sandbox.run(trial)
    if result.cause != "ok":
        raise SandboxError(
            f"A trial program did not run in the sandbox `{sandbox.name}`: {result.cause}, {result.detail}\n"
            f"{result.stderr}",
            next_step="Use another sandbox; `autoannotator doctor` says which are available here.",
        )
    return sandbox
