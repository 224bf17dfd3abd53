"""Where attacks are run: in a sandbox, and for the controls without one or in a container with a weakness."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container

from sandbox.base import Output, RunResult, RunSpec, Sandbox
from sandbox.image import image_name
from tests.sandbox.attack_ground import MIB, Ground, Place, Scene

_COPIED = 2**20
_COPY_SECONDS = 2.0


def in_sandbox(sandbox: Sandbox) -> Place:
    """Return the place that is to contain the attack."""

    def place(ground: Ground, script: Path, scene: Scene) -> RunResult:
        spec = RunSpec(
            argv=("python", "in/attack.py", *scene.arguments, ground.mark),
            inputs={"attack.py": script, **scene.inputs},
            outputs=scene.outputs,
            limits=scene.limits,
        )
        return sandbox.run(spec)

    return place


def unconfined(ground: Ground, script: Path, scene: Scene) -> RunResult:
    """Run a script as somebody does who thinks of nothing: as oneself, asked politely to end at its time, its results
    copied by their names."""
    box = ground.path / "box"
    for folder in ("in", "out"):
        (box / folder).mkdir(parents=True, exist_ok=True)
    for name, source in {"attack.py": script, **scene.inputs}.items():
        (box / "in" / name).unlink(missing_ok=True)
        (box / "in" / name).symlink_to(source)
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "in/attack.py", *scene.arguments, ground.mark],
        cwd=box,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=False,
    )
    ground.stack.callback(process.wait)
    ground.stack.callback(ground.kill)
    try:
        stdout, stderr = process.communicate(timeout=scene.limits.seconds)
        cause = "exit" if process.returncode else "ok"
    except subprocess.TimeoutExpired as expired:
        stdout, stderr, cause = expired.stdout or b"", expired.stderr or b"", "timeout"
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
    detail = copy_naively(box / "out", scene.outputs)
    return RunResult(
        cause=cause,
        exit_status=process.returncode,
        stdout=stdout.decode(errors="surrogateescape"),
        stderr=stderr.decode(errors="surrogateescape"),
        seconds=time.monotonic() - began,
        detail=detail,
    )


def copy_naively(folder: Path, outputs: dict[str, Output]) -> str:
    """Copy the first MiB of each result, whatever it is; return `blocked` where that did not come to an end."""
    for name, output in outputs.items():
        with output.target.open("wb") as copy:
            try:
                subprocess.run(
                    ["head", "-c", str(_COPIED), "--", folder / name],
                    stdout=copy,
                    stderr=subprocess.DEVNULL,
                    timeout=_COPY_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return "blocked"
    return ""


def weak_container(**weakness: Any) -> Place:
    """Return a place that is a throw-away container, run as root but for what `weakness` says: options of the
    engine that open what a sandbox has to close."""

    def place(ground: Ground, script: Path, scene: Scene) -> RunResult:
        out = Path(tempfile.mkdtemp(dir="/dev/shm"))
        ground.stack.callback(shutil.rmtree, out)
        out.chmod(0o777)
        pairs = {"attack.py": script, **scene.inputs}
        volumes = {str(source): {"bind": f"/box/in/{name}", "mode": "ro"} for name, source in pairs.items()}
        options = {
            "user": "0:0",
            "network_mode": "none",
            "mem_limit": 1536 * MIB,
            "pids_limit": 1000,
            "volumes": {**volumes, str(out): {"bind": "/box/out", "mode": "rw"}},
            **weakness,
        }
        command = ["python", "in/attack.py", *scene.arguments, ground.mark]
        container = _create(ground, command, working_dir="/box", **options)
        return _run_to_end(container, out, scene)

    return place


def beside_a_victim(shared: str, victim: Callable[[Ground], dict[str, Any]], **weakness: Any) -> Place:
    """Return a weak container that shares `shared` (`pid_mode` or `network_mode`) with one that has something to
    lose: `victim` says with which options it is made."""

    def place(ground: Ground, script: Path, scene: Scene) -> RunResult:
        sleeper = {"command": ["python", "-c", "import time; time.sleep(60)"], "init": True, "network_mode": "none"}
        other = _create(ground, **{**sleeper, **victim(ground)})
        other.start()
        ground.victims.append(other)
        return weak_container(**{shared: f"container:{other.id}"}, **weakness)(ground, script, scene)

    return place


def _create(ground: Ground, command: list[str], **options: Any) -> Container:
    container = ground.engine().containers.create(image_name(), command, **options)

    def remove() -> None:
        with contextlib.suppress(DockerException):
            container.remove(force=True, v=True)

    ground.stack.callback(remove)
    return container


def _run_to_end(container: Container, out: Path, scene: Scene) -> RunResult:
    began = time.monotonic()
    container.start()
    status = container.wait(timeout=scene.limits.seconds + 30)["StatusCode"]
    detail = copy_naively(out, scene.outputs)
    return RunResult(
        cause="exit" if status else "ok",
        exit_status=status,
        stdout=container.logs(stdout=True, stderr=False).decode(errors="surrogateescape"),
        stderr=container.logs(stdout=False, stderr=True).decode(errors="surrogateescape"),
        seconds=time.monotonic() - began,
        detail=detail,
    )
