"""What an attack stands on: a host with something to steal, and a witness that looks from outside."""

import contextlib
import os
import signal
import stat
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from records.errors import SandboxError
from sandbox.base import Limits, Output, RunResult, Sandbox
from sandbox.engine import connect

SCRIPTS = Path(__file__).with_name("attacks")
MIB = 2**20
LIMITS = Limits(seconds=20, memory=512 * MIB, processes=100, output=64 * 1024, file_size=256 * MIB, threads=2)

Watch = Callable[[list[int]], bool]
"""Given the attack's processes while it runs, whether it has succeeded by now."""
Place = Callable[["Ground", Path, "Scene"], RunResult]
"""Runs a script on a ground, in a scene."""


def never(_: RunResult) -> bool:
    return False


@dataclass(frozen=True)
class Scene:
    """What a script is given, and what shows from outside that it has succeeded: `watch` while it runs (it leaves
    `out/tried` when it has done its worst, and is killed), or `succeeded` when it has ended."""

    arguments: tuple[str, ...] = ()
    inputs: dict[str, Path] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    limits: Limits = LIMITS
    watch: Watch | None = None
    succeeded: Callable[[RunResult], bool] = never
    cause: str = ""
    """What a sandbox has to call it (empty: anything but its own failure)."""


@dataclass(frozen=True)
class Attack:
    """A script of `attacks/`, how the host is prepared for it, and where it succeeds: without any sandbox, or in a
    container that is weak in this one respect where it would harm the machine."""

    name: str
    prepare: Callable[["Ground"], Scene]
    control: Place
    bomb: bool = False
    """Whether it takes so much of the machine that it has to run alone."""

    @property
    def script(self) -> Path:
        return SCRIPTS / f"{self.name}.py"


@dataclass
class Ground:
    """The host of one attack. What it defers is undone at its end, and the attack's processes are killed."""

    path: Path
    stack: ExitStack
    monkeypatch: pytest.MonkeyPatch
    prepared: dict[str, Sandbox | SandboxError]
    sandbox: Sandbox | None = None
    """The one under attack; None in a control."""
    mark: str = field(default_factory=lambda: f"mark-{uuid.uuid4().hex}")
    """The last word of the command line of the attack's processes."""
    secret: str = field(default_factory=lambda: f"planted-{uuid.uuid4().hex}")
    """What no attack is told."""
    victims: list[Container] = field(default_factory=list)
    """Containers beside a control's attack."""

    def engine(self) -> docker.DockerClient:
        """Connect to this machine's Docker engine; skip the test where there is none."""
        if isinstance(self.prepared["docker"], SandboxError):
            pytest.skip(f"no Docker engine: {self.prepared['docker'].what}")
        client = connect()
        self.stack.callback(client.close)
        return client

    def spawn(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process of the host that lives to the end of the test."""
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def plant_file(self, name: str = "secret", text: str = "") -> Path:
        """Write a file that every user of the host may read."""
        path = self.path / name
        path.write_text(text or self.secret)
        for folder in (self.path, *self.path.parents):
            if folder.stat().st_uid == os.getuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        return path

    def tells_secret(self, result: RunResult) -> bool:
        return self.secret in result.stdout + result.stderr

    def processes(self) -> list[int]:
        """Return the ids, on the host, of the attack's processes."""
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                    if words and words[-1] == self.mark and "in/attack.py" in words and "--" not in words:
                        found.append(int(folder.name))
        return found

    def kill(self) -> None:
        """Kill the attack's processes, and those that they start meanwhile."""
        while processes := self.processes():
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if all(is_zombie(process) for process in processes):
                return


def is_zombie(process: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


class Witness(threading.Thread):
    """Watches an attack from outside until it says that it has tried everything, then kills it."""

    def __init__(self, ground: Ground, watch: Watch) -> None:
        super().__init__()
        self._ground = ground
        self._watch = watch
        self._over = threading.Event()
        self.saw_success = False
        self.saw_the_attempt = False

    def run(self) -> None:
        while not self.saw_the_attempt and not self._over.wait(0.02):
            processes = self._ground.processes()
            tried = any(Path(f"/proc/{process}/cwd/out/tried").exists() for process in processes)
            if tried:  # those that it has started since they were listed, too
                processes = self._ground.processes()
            with contextlib.suppress(OSError):  # one of them has ended meanwhile
                self.saw_success = self.saw_success or (bool(processes) and self._watch(processes))
            if tried:
                self.saw_the_attempt = True
                self._ground.kill()

    def stop(self) -> None:
        self._over.set()
        self.join()


@dataclass(frozen=True)
class Outcome:
    """How an attack went. `ran`: whether it was carried out at all."""

    result: RunResult
    ran: bool
    succeeded: bool


def carry_out(attack: Attack, scene: Scene, ground: Ground, place: Place) -> Outcome:
    """Run an attack's script in a place, and judge it from outside."""
    witness = Witness(ground, scene.watch) if scene.watch else None
    if witness:
        witness.start()
    try:
        result = place(ground, attack.script, scene)
    finally:
        if witness:
            witness.stop()
    if witness:
        ran = witness.saw_the_attempt or result.cause in ("oom", "disk")
        return Outcome(result, ran, witness.saw_success or scene.succeeded(result))
    return Outcome(result, "trying" in result.stdout, scene.succeeded(result))
