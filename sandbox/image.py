"""The Docker image that generated scripts run in, and how it is built."""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from records.errors import SandboxError
from sandbox.engine import connect

DEFAULT_BASE = "python:3.11.13-slim-bookworm"
_FOLDER = Path(__file__).with_name("images")
_FILES = ("Dockerfile", "assemble.py", "requirements.txt")


def image_name() -> str:
    """Return the image's name and tag. The tag is a hash of what it is built from, so that a stale one is not used."""
    content = b"\0".join((_FOLDER / name).read_bytes() for name in _FILES)
    return f"autoannotator-sandbox:{hashlib.sha256(content).hexdigest()[:16]}"


def image_digest(client: docker.DockerClient, name: str) -> str:
    """Return the id, `sha256:` and 64 digits, of the image that the engine now holds under `name`.

    It names the content: of the configuration, and through it of every layer. Raises SandboxError where there is no
    such image, and DockerException where the engine fails.
    """
    try:
        return str(client.images.get(name).id)
    except ImageNotFound as error:
        raise SandboxError(
            f"The Docker engine has no image {name}.",
            next_step="Build it: `autoannotator doctor --build-image` (`--base IMAGE` where none can be pulled).",
        ) from error


def build_image(base: str, report: Callable[[str], None]) -> str:
    """Build the sandbox image on `base` and return its name; `report` is given a line for each step.

    `base` needs python3 with its venv module, and glibc; it is pulled where the engine does not have it. Its
    interpreter, standard library and shared libraries go into the image, and nothing else of it. The packages are
    downloaded by this machine's pip, as it is configured, for the base's version of Python, and handed to a build
    that has no network. Raises SandboxError, with the step that failed.
    """
    client = connect()
    try:
        version, machine = _inspect_base(client, base, report)
        with tempfile.TemporaryDirectory(prefix="autoannotator-image-") as folder:
            context = Path(folder)
            for name in _FILES:
                shutil.copyfile(_FOLDER / name, context / name)
            report(f"Downloading the packages for Python {version} on {machine}")
            _download_wheels(context, version, machine)
            report(f"Building {image_name()} on {base}")
            _build(client, context, base, report)
    finally:
        client.close()
    return image_name()


def _inspect_base(client: docker.DockerClient, base: str, report: Callable[[str], None]) -> tuple[str, str]:
    """Pull the base where it is missing; return its version of Python and its machine type."""
    script = "import json, platform, sys, venv; print(json.dumps(['%d.%d' % sys.version_info[:2], platform.machine()]))"
    try:
        try:
            client.images.get(base)
        except ImageNotFound:
            report(f"Pulling {base}")
            client.images.pull(base)
        output = client.containers.run(base, ["python3", "-c", script], entrypoint=[], remove=True, network_mode="none")
    except DockerException as error:
        raise SandboxError(
            f"The base image {base} cannot be used: {error}",
            next_step="Name another with `--base IMAGE`: one that holds python3 with its venv module, and glibc.",
        ) from error
    try:
        version, machine = json.loads(output)
    except ValueError as error:
        raise SandboxError(
            f"The base image {base} does not say its version of Python, but {output[:200]!r}.",
            next_step="Name another with `--base IMAGE`: one that holds python3 with its venv module, and glibc.",
        ) from error
    return version, machine


def _download_wheels(context: Path, version: str, machine: str) -> None:
    wheels = context / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(wheels)]
    command += ["--python-version", version, "-r", str(context / "requirements.txt")]
    if (sys.platform, platform.machine()) != ("linux", machine):
        for glibc in ("2_28", "2_27", "2_17"):
            command += ["--platform", f"manylinux_{glibc}_{machine}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(
            f"pip could not download the packages of the image:\n{result.stderr.strip()[-2000:]}",
            next_step="Check that `pip download` reaches your package index; mirrors are set in pip's configuration.",
        )


def _build(client: docker.DockerClient, context: Path, base: str, report: Callable[[str], None]) -> None:
    try:
        for event in client.api.build(
            path=str(context),
            tag=image_name(),
            buildargs={"BASE": base},
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
        ):
            if "error" in event:
                raise SandboxError(f"The build failed: {event['error']}", next_step="Its last lines say at which step.")
            if line := event.get("stream", "").strip():
                report(line)
        client.images.prune(filters={"dangling": True, "label": "autoannotator.stage=packages"})  # 1.4 GB, used up
    except DockerException as error:
        raise SandboxError(f"The engine did not build: {error}", next_step="Look at the engine's log.") from error
