"""The connection to a Docker engine."""

import docker
from docker.errors import DockerException

from records.errors import SandboxError

_SECONDS = 60
"""How long the engine may take to answer one call."""


def connect() -> docker.DockerClient:
    """Return a client of the engine that DOCKER_HOST names, else of this machine's. Raises SandboxError."""
    try:
        return docker.from_env(timeout=_SECONDS)
    except DockerException as error:
        raise SandboxError(
            f"No Docker engine answers: {error}",
            next_step="Start one (`systemctl start docker`, or Docker Desktop), or use `--sandbox bwrap`.",
        ) from error
