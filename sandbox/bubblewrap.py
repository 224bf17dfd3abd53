"""A sandbox of Linux namespaces, made by bubblewrap (`bwrap`): needs no service and no root."""

import os
import shutil
import site
import sys
from pathlib import Path

from records.errors import SandboxError
from sandbox.base import RunResult, RunSpec, Worker
from sandbox.box import Box, remove_orphans
from sandbox.environment import clean_environment
from sandbox.process import HOST_PATH, check_platform, host_command
from sandbox.program import Program, run_program
from sandbox.supervised import SupervisedProgram
from sandbox.worker import open_worker

INSIDE = "/box"
_USER = "1000"
_IN_MEMORY_BYTES = 2**30
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")


class BubblewrapSandbox:
    """Runs a program in namespaces of its own: it sees the system's libraries, this Python environment and its
    inputs, all read-only, and no network, no other process, no home. `out/`, and `/tmp` and `/dev/shm` in memory, are
    all it can write to. It has no capability and a user id that is not root's.

    Time, memory, open files and file sizes are limited as in `ProcessSandbox`. `limits.processes` is not held, and
    what it keeps in `/tmp` and `/dev/shm` (1 GiB each at most) is not counted as its memory. Raises SandboxError where
    there is no `bwrap`.
    """

    name = "bwrap"

    def __init__(self) -> None:
        check_platform(self.name)
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxError(
                "The sandbox `bwrap` needs bubblewrap, and there is no `bwrap` in PATH.",
                next_step="Install the package bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`).",
            )
        self._bwrap = program
        remove_orphans()

    def run(self, spec: RunSpec) -> RunResult:
        return run_program(lambda: self._start(spec, serve=False), spec)

    def open(self, spec: RunSpec) -> Worker:
        return open_worker(lambda: self._start(spec, serve=True), _copy_input, spec)

    def _start(self, spec: RunSpec, *, serve: bool) -> Program:
        box = Box()
        try:
            status = box.path / "status"
            with status.open("wb") as stream:
                words = [self._bwrap, *_isolation(), *_environment(spec), *_system_mounts(), *_box_mounts(box, spec)]
                words += ["--json-status-fd", str(stream.fileno()), "--", *host_command(spec.argv)]
                return SupervisedProgram(
                    box,
                    words,
                    environment={"PATH": "/usr/bin:/bin"},
                    limits=spec.limits,
                    serve=serve,
                    inherited=(stream.fileno(),),
                    explain=lambda: _setup_failure(status),
                )
        except BaseException:
            box.remove()
            raise


def _isolation() -> list[str]:
    flags = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    return [*flags, "--cap-drop", "ALL", "--uid", _USER, "--gid", _USER, "--hostname", "box"]


def _environment(spec: RunSpec) -> list[str]:
    variables = clean_environment(spec.limits, path=HOST_PATH, temporary="/tmp")  # noqa: S108 - the sandbox's own
    return ["--clearenv", *(word for name, value in variables.items() for word in ("--setenv", name, value))]


def _system_mounts() -> list[str]:
    """Return the arguments that show the system's programs and libraries and this Python environment, read-only."""
    words = ["--proc", "/proc", "--remount-ro", "/proc"]  # else host root's own /proc/sys could be written to
    words += ["--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108
        words += ["--size", str(_IN_MEMORY_BYTES), "--tmpfs", folder]
    words += ["--remount-ro", "/dev"]
    words += _read_only("/usr")
    for name in _SYSTEM_FOLDERS:
        folder = Path(name)
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), name]
        elif folder.exists():
            words += _read_only(name)
    for name in _SYSTEM_FILES:
        words += ["--ro-bind-try", name, name]
    for folder in _python_folders():
        words += _read_only(folder)
    return words


def _python_folders() -> list[str]:
    """Return the folders that this interpreter and its packages live in, the outer ones first."""
    folders = {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    return sorted(folder for folder in folders if Path(folder).is_dir() and not Path(folder).is_relative_to("/usr"))


def _box_mounts(box: Box, spec: RunSpec) -> list[str]:
    words = ["--dir", INSIDE, "--ro-bind", str(box.inputs), f"{INSIDE}/in"]
    for name, source in spec.inputs.items():
        for path, place in box.mount_points(name, source):
            words += ["--ro-bind", str(path), f"{INSIDE}/in/{place}"]
    words += ["--bind", str(box.outputs), f"{INSIDE}/out", "--remount-ro", "/"]
    return [*words, "--chdir", INSIDE]


def _read_only(path: str) -> list[str]:
    return ["--ro-bind", path, path]


def _copy_input(program: Program, name: str, source: Path) -> None:
    program.box.copy_input(name, source)


def _setup_failure(status: Path) -> str:
    """Read what bubblewrap wrote of the program's life: without an exit code there the program never ran."""
    if b'"exit-code"' in status.read_bytes():
        return ""
    return "bubblewrap could not set up the sandbox (its reason is on standard error)"
