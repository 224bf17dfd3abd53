"""A sandbox of Linux namespaces, made by bubblewrap (`bwrap`): needs no service and no root."""

import contextlib
import os
import shutil
import site
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from records.errors import SandboxError
from sandbox.base import OnProgress, RunResult, RunSpec, Worker
from sandbox.box import INSIDE, Box, remove_orphans
from sandbox.bubblewrap_gate import Gate
from sandbox.cgroups import ControlGroups, find_controllers, remove_left_groups
from sandbox.environment import IN_MEMORY_BYTES, clean_environment, draw_user
from sandbox.process import HOST_PATH, check_platform, host_command
from sandbox.program import Program, run_program
from sandbox.seccomp import syscall_filter
from sandbox.supervise import NAMESPACE, USER_INSIDE
from sandbox.supervised import SupervisedProgram
from sandbox.worker import copy_input, open_worker

_DELEGATE = "Run as root, or where control groups are delegated to you: `systemd-run --user --scope -p Delegate=yes …`."
_SHORTFALLS = {
    "memory": "Memory can be used up: only what processes have resident is looked at, ten times a second, and not what "
    "lies in /tmp, /dev/shm, out/, other files in memory, and sockets.",
    "cpu": "The share of the processors is not limited.",
}
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")


class BubblewrapSandbox:
    """Runs a program in namespaces of its own: it sees the system's libraries, this Python environment and its
    inputs, all read-only, and no network, no other process, no home. `out/`, `/tmp` and `/dev/shm`, all in memory and
    of limited size, are all it can write to. It has no capability, a user id that is not root's, and a seccomp filter.

    Memory, processes and processors are held by control groups where this process may make them; the number of
    processes by RLIMIT_NPROC too, and `shortfalls` says what is only looked at. Where this process is root, the program
    is a user of its own to the kernel. Raises SandboxError where there is no `bwrap`.
    """

    name = "bwrap"
    image = ""

    def __init__(self) -> None:
        check_platform(self.name)
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxError(
                "The sandbox `bwrap` needs bubblewrap, and there is no `bwrap` in PATH.",
                next_step="Install the package bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`).",
            )
        self._bwrap = program
        self._filter = syscall_filter()
        self._controllers = find_controllers()
        remove_left_groups(self._controllers, remove_orphans())

    @property
    def shortfalls(self) -> tuple[str, ...]:
        held = {controller.name for controller in self._controllers}
        lacking = tuple(text for name, text in _SHORTFALLS.items() if name not in held)
        return (*lacking, _DELEGATE) if lacking else ()

    def run(self, spec: RunSpec, on_progress: OnProgress | None = None) -> RunResult:
        return run_program(lambda: self._start(spec, serve=False), spec, on_progress)

    def open(self, spec: RunSpec) -> Worker:
        return open_worker(lambda: self._start(spec, serve=True), copy_input, spec)

    def _start(self, spec: RunSpec, *, serve: bool) -> Program:
        box = Box()
        try:
            user = draw_user() if os.getuid() == 0 else None
            if user:  # its group may pass through, no other user
                os.chown(box.path, -1, user)
                box.path.chmod(0o710)
            status, results = box.path / "status", f"{INSIDE}/out"
            with Gate(status, results, spec.limits) as gate, _held_bytes(self._filter) as code:
                words = [
                    self._bwrap,
                    *_isolation(user),
                    *_environment(spec),
                    *_system_mounts(),
                    *_box_mounts(box, spec),
                ]
                words += ["--seccomp", str(code), *gate.arguments, "--", *host_command(spec.argv)]
                return SupervisedProgram(
                    box,
                    words,
                    environment={"PATH": "/usr/bin:/bin"},
                    limits=spec.limits,
                    serve=serve,
                    groups=ControlGroups(self._controllers, box.path.name, spec.limits),
                    open_results=gate.open_results,
                    inherited=(code, *gate.inherited),
                    explain=gate.explain_failure,
                )
        except BaseException:
            box.remove()
            raise


def _isolation(user: int | None) -> list[str]:
    """Return the arguments for namespaces of its own; in them it is `user` to the kernel, where that is given."""
    kinds = ["--unshare-user", "--disable-userns"] if user is None else ["--userns", f"{NAMESPACE}{user}"]
    kinds += [f"--unshare-{kind}" for kind in ("ipc", "pid", "net", "uts", "cgroup")]
    ends = ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    return [*kinds, *ends, "--uid", str(USER_INSIDE), "--gid", str(USER_INSIDE), "--hostname", "box"]


def _environment(spec: RunSpec) -> list[str]:
    variables = clean_environment(spec.limits, path=HOST_PATH, temporary="/tmp")  # noqa: S108 - the sandbox's own
    return ["--clearenv", *(word for name, value in variables.items() for word in ("--setenv", name, value))]


def _system_mounts() -> list[str]:
    """Return the arguments that show the system's programs and libraries and this Python environment, read-only."""
    words = ["--proc", "/proc", "--remount-ro", "/proc"]  # else host root's own /proc/sys could be written to
    words += ["--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108
        words += ["--size", str(IN_MEMORY_BYTES), "--tmpfs", folder]
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
    words += ["--size", str(spec.limits.storage), "--perms", "0755", "--tmpfs", f"{INSIDE}/out", "--remount-ro", "/"]
    return [*words, "--chdir", INSIDE]


def _read_only(path: str) -> list[str]:
    return ["--ro-bind", path, path]


@contextlib.contextmanager
def _held_bytes(data: bytes) -> Iterator[int]:
    """Yield a descriptor from which `data` can be read."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()
