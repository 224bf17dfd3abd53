"""A sandbox of containers, run by the Docker engine of this machine."""

import os
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from docker.models.containers import Container
from docker.models.volumes import Volume
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from records.errors import SandboxError, SettingsError
from sandbox import gate
from sandbox.base import Limits, OnProgress, RunResult, RunSpec, Worker
from sandbox.box import INSIDE, Box, is_orphan, remove_orphans
from sandbox.container import RESULTS, START_SECONDS, ContainedProgram, remove
from sandbox.engine import connect
from sandbox.environment import IN_MEMORY_BYTES, clean_environment, draw_user
from sandbox.image import image_digest, image_name
from sandbox.program import Program, run_program
from sandbox.reaper import Reaper
from sandbox.seccomp import syscall_filter
from sandbox.supervise import QUEUED_SIGNALS
from sandbox.supervised import KILL_SECONDS, OPEN_FILES
from sandbox.worker import copy_input, open_worker

_PATH = "/opt/venv/bin"
_HOST_LABEL = "autoannotator.host"
_BOX_LABEL = "autoannotator.box"
_RUN_LABEL = "autoannotator.run"
_DEADLINE_LABEL = "autoannotator.deadline"
"""Seconds since 1970."""
WORKER_SECONDS = 7 * 24 * 3600.0
"""The deadline of a warm worker; no run takes that long."""
INODES = 10_000
_SHORTFALLS = {
    "MemoryLimit": "The engine's kernel does not limit memory (`docker info`: cgroup memory).",
    "SwapLimit": "The engine's kernel does not limit swap: boot with swapaccount=1, or turn swap off.",
    "PidsLimit": "The engine's kernel does not limit processes (`docker info`: cgroup pids).",
    "CpuCfsQuota": "The engine's kernel does not limit the share of the processors.",
}
"""By what the engine says of itself."""
_HARDENING: dict[str, Any] = {
    "hostname": "box",
    "working_dir": INSIDE,
    "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={IN_MEMORY_BYTES},nr_inodes={INODES}"},  # noqa: S108
    "stdin_open": True,
    "init": True,
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "ipc_mode": "private",
    "cgroupns": "private",
    "use_config_proxy": False,  # a proxy's address may hold a password
    "log_config": LogConfig(type="none"),  # the host reads its streams; the engine keeps nothing
}


@dataclass(frozen=True)
class DockerOptions:
    """What a person may choose. `runtime`: runsc, kata, or another that the engine knows. `gpus`: as `docker run`
    takes it: all, a number, or device=ID,ID."""

    run_id: str = ""
    """The run whose programs these are; its containers and volumes carry it as a label."""
    runtime: str | None = None
    gpus: str | None = None


DEFAULTS = DockerOptions()


class DockerSandbox:
    """Runs each program in a container of its own: no network, a read-only root, no capability, no new privileges, the
    engine's seccomp profile and our filter, a user that is not root, its inputs read-only. `out/`, a volume in memory
    of limited size, and `/tmp` and `/dev/shm` in memory are all it can write to. Memory (without swap; what lies in
    these folders counts), processes, processors, open files and file sizes are limited by the kernel; at the
    wall-clock limit the container is killed.

    A container and its volume are removed at their end; those whose host was killed, by its reaper, at the next start
    on that machine, or at any start after their deadline. The engine must be this machine's: files are handed over by
    mounts. Raises SandboxError where no engine answers or the image is not there, SettingsError where the options do
    not fit.
    """

    name = "docker"

    def __init__(self, options: DockerOptions = DEFAULTS) -> None:
        self._options = options
        self._filter = syscall_filter().hex()
        self._gate = Path(gate.__file__).read_text(encoding="utf-8")
        self.devices = _request_gpus(options.gpus)
        client = connect()
        try:
            self.image = image_digest(client, image_name())
            self._engine = client.info()
            _check_runtime(options.runtime, self._engine)
            _remove_left(client)
        except (DockerException, OSError) as error:  # the latter where it does not answer in time
            raise SandboxError(f"The Docker engine failed: {error}", next_step="Look at the engine's log.") from error
        finally:
            client.close()
        self._reaper = Reaper()

    @property
    def shortfalls(self) -> tuple[str, ...]:
        lacking = [text for key, text in _SHORTFALLS.items() if not self._engine.get(key)]
        if not any("seccomp" in option for option in self._engine["SecurityOptions"]):
            lacking.append("The engine has no seccomp profile. Its `docker info` says why.")
        return tuple(lacking)

    def run(self, spec: RunSpec, on_progress: OnProgress | None = None) -> RunResult:
        return run_program(lambda: self._start(spec, serve=False), spec, on_progress)

    def open(self, spec: RunSpec) -> Worker:
        return open_worker(lambda: self._start(spec, serve=True), copy_input, spec)

    def _start(self, spec: RunSpec, *, serve: bool) -> Program:
        box, client = Box(), None
        try:
            client = connect()  # one a program: a client is not made for several threads
            return self._start_container(client, box, spec, serve=serve)
        except BaseException as error:
            if client:
                client.close()
            box.remove()
            if isinstance(error, DockerException | OSError):
                raise SandboxError(
                    f"The container could not be started: {error}", next_step="Look at the engine's log."
                ) from error
            raise

    def _start_container(self, client: docker.DockerClient, box: Box, spec: RunSpec, *, serve: bool) -> Program:
        user = _choose_user()
        labels = self._make_labels(box, WORKER_SECONDS if serve else START_SECONDS + spec.limits.seconds + KILL_SECONDS)
        made: list[Container | Volume] = []
        try:
            volume = client.volumes.create(driver="local", driver_opts=_describe_storage(spec, user), labels=labels)
            made.append(volume)
            container = client.containers.create(
                self.image,
                ["python", "-I", "-S", "-c", self._gate, self._filter, str(int(serve)), *spec.argv],
                environment=clean_environment(spec.limits, path=_PATH, temporary="/tmp"),  # noqa: S108 - its own
                user=user,
                mounts=[*_mount_inputs(box, spec), Mount(RESULTS, volume.name, type="volume", no_copy=True)],
                labels=labels,
                runtime=self._options.runtime,
                device_requests=self.devices,
                nano_cpus=min(spec.limits.threads, int(self._engine["NCPU"])) * 10**9,
                **_limit(spec.limits),
                **_HARDENING,
            )
            made.insert(0, container)
            return ContainedProgram(box, client, container, volume, limits=spec.limits, reaper=self._reaper)
        except BaseException:
            remove(*made)
            raise

    def _make_labels(self, box: Box, seconds: float) -> dict[str, str]:
        return {
            _HOST_LABEL: _identify_host(),
            _BOX_LABEL: str(box.path),
            _RUN_LABEL: self._options.run_id,
            _DEADLINE_LABEL: str(int(time.time() + seconds)),
        }


def _limit(limits: Limits) -> dict[str, Any]:
    """Return the limits that the kernel holds, as the engine's client takes them."""
    return {
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,  # memory and swap together: no swap
        "pids_limit": limits.processes,
        "ulimits": [
            Ulimit(name="fsize", soft=limits.file_size, hard=limits.file_size),
            Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="sigpending", soft=QUEUED_SIGNALS, hard=QUEUED_SIGNALS),
        ],
    }


def _describe_storage(spec: RunSpec, user: str) -> dict[str, str]:
    """Return the options of the volume that is `out/`: in memory, since no other kind has a size of its own."""
    owner, group = user.split(":")
    kept = f"size={spec.limits.storage},nr_inodes={INODES},mode=0755,uid={owner},gid={group},nosuid,nodev,noexec"
    return {"type": "tmpfs", "device": "tmpfs", "o": kept}


def _request_gpus(gpus: str | None) -> list[DeviceRequest]:
    """Return the devices that `gpus` names. Raises SettingsError."""
    if gpus is None:
        return []
    if gpus.startswith("device="):
        return [DeviceRequest(device_ids=gpus.removeprefix("device=").split(","), capabilities=[["gpu"]])]
    if gpus == "all" or (gpus.isdecimal() and int(gpus) > 0):
        return [DeviceRequest(count=-1 if gpus == "all" else int(gpus), capabilities=[["gpu"]])]
    raise SettingsError(f"--gpus {gpus!r} names no GPU.", next_step="Say all, a number, or device=ID,ID.")


def _check_runtime(runtime: str | None, engine: dict[str, Any]) -> None:
    """Raise SettingsError where the engine does not know the runtime; one of containerd's own names is not listed."""
    known = runtime is None or runtime.startswith("io.containerd.") or runtime in engine["Runtimes"]
    if not known:
        raise SettingsError(
            f"The Docker engine has no runtime {runtime!r}; it has {', '.join(sorted(engine['Runtimes']))}.",
            next_step="Install it and name it in the engine's daemon.json (`runtimes`), then restart the engine.",
        )


def remove_left() -> None:
    """Remove the containers, volumes and files that killed hosts have left. Raises SandboxError or DockerException."""
    client = connect()
    try:
        _remove_left(client)
    finally:
        client.close()


def _remove_left(client: docker.DockerClient) -> None:
    """Remove what killed hosts have left: ours only. A box goes last, since it says whose the rest is."""
    for container in client.containers.list(all=True, filters={"label": _BOX_LABEL}, ignore_removed=True):
        if _is_left(container.labels):
            remove(container)
    for volume in client.volumes.list(filters={"label": _BOX_LABEL}):
        if _is_left(volume.attrs["Labels"]):
            remove(volume)
    remove_orphans()


def _is_left(labels: dict[str, str]) -> bool:
    """Whether the host of a thing with these labels is dead, or, where that cannot be seen from here, too late."""
    if not {_HOST_LABEL, _BOX_LABEL, _RUN_LABEL, _DEADLINE_LABEL} <= labels.keys():
        return False  # not ours
    if labels[_HOST_LABEL] == _identify_host():
        return is_orphan(Path(labels[_BOX_LABEL]))
    return labels[_DEADLINE_LABEL].isdecimal() and time.time() > int(labels[_DEADLINE_LABEL])


def _identify_host() -> str:
    """Name the hosts whose boxes can be looked at from here: this machine's, this user's, in this temporary folder."""
    folder = Path(tempfile.gettempdir()).stat()
    return f"{socket.gethostname()}:{os.getuid()}:{folder.st_dev}:{folder.st_ino}"


def _choose_user() -> str:
    """Return a user that is not root: this one, or, where this one is root, one of the program's own."""
    if os.getuid() != 0:
        return f"{os.getuid()}:{os.getgid()}"
    user = draw_user()
    return f"{user}:{user}"


def _mount_inputs(box: Box, spec: RunSpec) -> list[Mount]:
    pairs = [(box.inputs, f"{INSIDE}/in")]
    for name, source in spec.inputs.items():
        pairs += [(path, f"{INSIDE}/in/{place}") for path, place in box.mount_points(name, source)]
    return [Mount(target, str(path), type="bind", read_only=True) for path, target in pairs]
