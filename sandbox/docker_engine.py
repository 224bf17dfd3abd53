"""A sandbox of containers, run by the Docker engine of this machine."""

import os
import socket
import tempfile
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit

from records.errors import SandboxError
from sandbox.base import RunResult, RunSpec, Worker
from sandbox.box import Box, is_orphan, remove_orphans
from sandbox.container import ContainedProgram, remove_container
from sandbox.engine import connect
from sandbox.environment import clean_environment
from sandbox.image import image_name
from sandbox.program import Program, run_program
from sandbox.supervised import OPEN_FILES
from sandbox.worker import open_worker

INSIDE = "/box"
_PATH = "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
_NOBODY = 65534
_IN_MEMORY_BYTES = 2**30
_HOST_LABEL = "autoannotator.host"
_BOX_LABEL = "autoannotator.box"


class DockerSandbox:
    """Runs each program in a container of its own: no network, a read-only root, no capability, no new privileges, a
    user that is not root, its inputs read-only. `out/` and a `/tmp` in memory are all it can write to. Memory (without
    swap), processes, processors, open files and file sizes are limited by the kernel; at the wall-clock limit the
    container is killed.

    A container is removed at its end; one whose host was killed, at the next start on that machine. The engine must
    be this machine's: files are handed over by mounts. Raises SandboxError where no engine answers or the image is
    not there.
    """

    name = "docker"

    def __init__(self, image: str | None = None) -> None:
        self._image = image or image_name()
        client = connect()
        try:
            client.images.get(self._image)
            self._processors = int(client.info()["NCPU"])
            remove_orphans()
            _remove_orphan_containers(client)
        except ImageNotFound as error:
            raise SandboxError(
                f"The Docker engine has no image {self._image}.",
                next_step="Build it: `autoannotator doctor --build-image` (`--base IMAGE` where none can be pulled).",
            ) from error
        except DockerException as error:
            raise SandboxError(f"The Docker engine failed: {error}", next_step="Look at the engine's log.") from error
        finally:
            client.close()

    def run(self, spec: RunSpec) -> RunResult:
        return run_program(lambda: self._start(spec, serve=False), spec)

    def open(self, spec: RunSpec) -> Worker:
        return open_worker(lambda: self._start(spec, serve=True), _copy_input, spec)

    def _start(self, spec: RunSpec, *, serve: bool) -> Program:
        box = Box()
        try:
            return self._start_container(box, spec, serve=serve)
        except BaseException:
            box.remove()
            raise

    def _start_container(self, box: Box, spec: RunSpec, *, serve: bool) -> Program:
        client = connect()  # one a program: a client is not made for several threads
        container = None
        try:
            container = self._create(client, box, spec, serve=serve)
            return ContainedProgram(box, client, container, memory=spec.limits.memory, serve=serve)
        except BaseException as error:
            if container:
                remove_container(container)
            client.close()
            if isinstance(error, DockerException):
                raise SandboxError(
                    f"The container could not be started: {error}", next_step="Look at the engine's log."
                ) from error
            raise

    def _create(self, client: docker.DockerClient, box: Box, spec: RunSpec, *, serve: bool) -> Container:
        limits = spec.limits
        return client.containers.create(
            self._image,
            list(spec.argv),
            environment=clean_environment(limits, path=_PATH, temporary="/tmp"),  # noqa: S108 - the container's own
            hostname="box",
            working_dir=INSIDE,
            user=_choose_user(box),
            mounts=_mounts(box, spec),
            tmpfs={"/tmp": f"rw,nosuid,nodev,size={_IN_MEMORY_BYTES}"},  # noqa: S108
            stdin_open=serve,
            init=True,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limits.memory,
            memswap_limit=limits.memory,  # memory and swap together: no swap
            pids_limit=limits.processes,
            nano_cpus=min(limits.threads, self._processors) * 10**9,
            ulimits=[
                Ulimit(name="fsize", soft=limits.file_size, hard=limits.file_size),
                Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
                Ulimit(name="core", soft=0, hard=0),
            ],
            log_config=LogConfig(type="none"),  # the host reads its streams; the engine keeps nothing
            labels={_HOST_LABEL: _identify_host(), _BOX_LABEL: str(box.path)},
        )


def _remove_orphan_containers(client: docker.DockerClient) -> None:
    """Remove the containers that killed hosts have left."""
    for container in client.containers.list(all=True, filters={"label": f"{_HOST_LABEL}={_identify_host()}"}):
        if is_orphan(Path(container.labels[_BOX_LABEL])):
            remove_container(container)


def _identify_host() -> str:
    """Name the hosts whose boxes can be looked at from here: this machine's, this user's, in this temporary folder."""
    folder = Path(tempfile.gettempdir()).stat()
    return f"{socket.gethostname()}:{os.getuid()}:{folder.st_dev}:{folder.st_ino}"


def _choose_user(box: Box) -> str:
    """Return a user that is not root and that owns `out/`: this one, or, where this one is root, nobody."""
    if os.getuid() != 0:
        return f"{os.getuid()}:{os.getgid()}"
    os.chown(box.outputs, _NOBODY, _NOBODY)
    return f"{_NOBODY}:{_NOBODY}"


def _mounts(box: Box, spec: RunSpec) -> list[Mount]:
    pairs = [(box.inputs, f"{INSIDE}/in")]
    for name, source in spec.inputs.items():
        pairs += [(path, f"{INSIDE}/in/{place}") for path, place in box.mount_points(name, source)]
    mounts = [Mount(target, str(path), type="bind", read_only=True) for path, target in pairs]
    return [*mounts, Mount(f"{INSIDE}/out", str(box.outputs), type="bind")]


def _copy_input(program: Program, name: str, source: Path) -> None:
    program.box.copy_input(name, source)
