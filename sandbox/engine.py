"""The connection to a Docker engine."""

import os
import socket

import docker
from docker.errors import DockerException

from records.errors import SandboxError

_SECONDS = 60
"""How long the engine may take to answer one call."""
_DEFAULT_HOST = "unix:///var/run/docker.sock"


def connect() -> docker.DockerClient:
    """Return a client of the engine that DOCKER_HOST names, else of this machine's. Raises SandboxError."""
    try:
        _try_socket(os.environ.get("DOCKER_HOST") or _DEFAULT_HOST)
        return docker.from_env(timeout=_SECONDS)
    except (DockerException, OSError) as error:
        raise SandboxError(
            f"No Docker engine answers: {error}",
            next_step="Start one (`systemctl start docker`, or Docker Desktop), or start anew with `--sandbox bwrap`.",
        ) from error


def _try_socket(host: str) -> None:
    """Raise OSError where a local engine's socket takes no connection: the client would leave its own one open."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(host.removeprefix("unix://"))
