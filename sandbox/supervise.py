"""Runs one program, and sees to it that nothing of it outlives this process's host.

Started by `sandbox.supervised` as a script of its own, with the interpreter's standard library only:

    python -I -S supervise.py CONTROL MEMORY PROCESSES FILE_SIZE OPEN_FILES DOORS program argument...

CONTROL is a socket to the host. When it is closed (the host wants an end, or was killed) the program and all that
descends from it are killed. DOORS (separated by newlines, perhaps none) are files of control groups, where the program
writes its id before it starts. A word of its arguments that begins with NAMESPACE stands for a descriptor of a new user
namespace, for the user whose number follows. MEMORY and PROCESSES are looked at ten times a second here; 0: the groups
hold them. At the end one JSON object is written to CONTROL: `exit_status` (128 + N for signal N), `memory` (bytes in
use when the program was killed for it, else 0), `processes` (the same) and `error` (this supervisor's own failure).

Why a process between the host and the program:
- the kernel's "die with your parent" follows the parent *thread*, and the host has threads that end;
- as a subreaper it inherits every orphan, so that a grandchild which left the session is found and killed too;
- limits are set here, after a fork in a process with one thread, where that is safe.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
RLIMIT_SIGPENDING = 11
QUEUED_SIGNALS = 1024
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWUSER = 0x10000000
NAMESPACE = "namespace:"
USER_INSIDE = 1000
"""The user (and group) in the namespace."""
ROOT_INSIDE = 1
"""Not 0: to become another user from that costs the capabilities that the set-up needs."""
TICK = 0.1
"""Seconds between two looks at what is in use."""


def main() -> None:
    """Start the program named on the command line, watch it, and tell the host how it ended."""
    control, memory, processes, file_size, open_files = (int(word) for word in sys.argv[1:6])
    doors, program = sys.argv[6].splitlines(), sys.argv[7:]
    os.set_inheritable(control, False)
    report: dict[str, object] = {"exit_status": None, "memory": 0, "processes": 0, "error": ""}
    try:
        set_process_flag(PR_SET_CHILD_SUBREAPER, 1)
        program = [make_user_namespace(word) if word.startswith(NAMESPACE) else word for word in program]
        child = start(program, file_size, open_files, doors)
        let_go_of_streams(control)
        report.update(watch(control, child, memory, processes))
        kill_descendants()
    except OSError as error:
        report["error"] = str(error)
    with contextlib.suppress(OSError):  # the host may be gone
        os.write(control, json.dumps(report).encode())


def set_process_flag(flag: int, value: int) -> None:
    """Set a flag of this process (prctl). Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(flag, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({flag}, {value}) failed")


def make_user_namespace(word: str) -> str:
    """Return an inheritable descriptor of a new user namespace for the user named in `word`. Raises OSError.

    Only root can make it. Root is in it too, so that what sets the sandbox up there can read what root can; the program
    itself is USER_INSIDE, has no capability and cannot gain one. To the kernel it is the user named.
    """
    user = int(word.removeprefix(NAMESPACE))
    library = ctypes.CDLL(None, use_errno=True)
    made, made_there = os.pipe()
    opened_there, opened = os.pipe()
    child = os.fork()
    if child == 0:
        if library.unshare(CLONE_NEWUSER) == 0:
            os.write(made_there, b"1")
            os.close(opened)
            os.read(opened_there, 1)
        os._exit(0)
    os.close(made_there)
    try:
        if not os.read(made, 1):
            raise OSError("a user namespace could not be made")
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{kind}").write_text(f"{ROOT_INSIDE} 0 1\n{USER_INSIDE} {user} 1\n")
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    finally:
        os.close(opened)
        os.waitpid(child, 0)
    for descriptor in (made, opened_there):
        os.close(descriptor)
    os.set_inheritable(namespace, True)
    return str(namespace)


def start(program: list[str], file_size: int, open_files: int, doors: list[str]) -> int:
    """Fork and execute `program` in a session and groups of its own, under its limits; return its process id."""
    supervisor = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        set_process_flag(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the flag was set
            os._exit(1)
        for door in doors:
            Path(door).write_text("0")  # this process
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        set_limit(RLIMIT_SIGPENDING, QUEUED_SIGNALS)
        set_limit(resource.RLIMIT_FSIZE, file_size)
        set_limit(resource.RLIMIT_NOFILE, open_files)
        os.execvp(program[0], program)  # noqa: S606 - a list of words is meant, no shell
    except OSError as error:
        os.write(2, f"cannot start {program[0]}: {error}\n".encode())
    os._exit(127)


def set_limit(kind: int, value: int) -> None:
    """Lower a limit, never above what this process itself may have."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def let_go_of_streams(control: int) -> None:
    """Close what was inherited for the program only, so that its end shows as the end of its streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    for entry in list(Path("/proc/self/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor > 2 and descriptor != control:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(descriptor)


def watch(control: int, child: int, memory: int, processes: int) -> dict[str, int | None]:
    """Wait for the program's end, the host's, or too much in use; return what the report says of it."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(os.pidfd_open(child), select.POLLIN)
    while True:
        host_is_gone = any(descriptor == control for descriptor, _ in poll.poll(TICK * 1000))
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return {"exit_status": code if code >= 0 else 128 - code}
        if host_is_gone:
            return {}
        reap_orphans(child)
        if excess := find_excess(memory, processes):
            return excess


def find_excess(memory: int, processes: int) -> dict[str, int | None]:
    """Return what the program uses too much of, with the figure; nothing where a limit is 0 or holds."""
    if not memory and not processes:
        return {}
    running = descendants(os.getpid())
    used = sum(resident_bytes(process) for process in running) if memory else 0
    if memory and used > memory:
        return {"memory": used}
    threads = sum(count_threads(process) for process in running) if processes else 0
    return {"processes": threads} if processes and threads > processes else {}


def reap_orphans(child: int) -> None:
    """Collect adopted processes that have ended, and leave the program's own status where it is."""
    for process in children(os.getpid()):
        if process != child:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)


def kill_descendants() -> None:
    """Kill until there is no child left: orphans come to this process, so that none is missed."""
    while True:
        for process in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def descendants(process: int) -> list[int]:
    """Return the ids of all processes below a process."""
    found = children(process)
    for child in found:  # the list grows while it is walked
        found.extend(children(child))
    return found


def children(process: int) -> list[int]:
    """Return the ids of a process's own children."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
        for task in Path(f"/proc/{process}/task").iterdir():
            found.extend(int(word) for word in (task / "children").read_text().split())
    return found


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process; 0 where it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE")


def count_threads(process: int) -> int:
    """Return how many threads a process has; 0 where it has ended."""
    try:
        return sum(1 for _ in Path(f"/proc/{process}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0


if __name__ == "__main__":
    main()
