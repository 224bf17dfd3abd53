"""Runs one program, and sees to it that nothing of it outlives this process's host.

Started by `sandbox.supervised` as a script of its own, with the interpreter's standard library only:

    python -I -S supervise.py CONTROL MEMORY FILE_SIZE OPEN_FILES program argument...

CONTROL is a socket to the host. When it is closed (the host wants an end, or was killed) the program and all that
descends from it are killed. At the end one JSON object is written to it: `exit_status` (128 + N for signal N),
`memory` (bytes in use when the program was killed for it, else 0) and `error` (this supervisor's own failure).

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
PR_SET_CHILD_SUBREAPER = 36
TICK = 0.1
"""Seconds between two looks at the memory in use."""


def main() -> None:
    """Start the program named on the command line, watch it, and tell the host how it ended."""
    control, memory, file_size, open_files = (int(word) for word in sys.argv[1:5])
    os.set_inheritable(control, False)
    report: dict[str, object] = {"exit_status": None, "memory": 0, "error": ""}
    try:
        set_process_flag(PR_SET_CHILD_SUBREAPER, 1)
        child = start(sys.argv[5:], file_size, open_files)
        let_go_of_streams(control)
        report["exit_status"], report["memory"] = watch(control, child, memory)
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


def start(program: list[str], file_size: int, open_files: int) -> int:
    """Fork and execute `program` in a session of its own, under its limits; return its process id."""
    supervisor = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        set_process_flag(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the flag was set
            os._exit(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
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


def watch(control: int, child: int, memory: int) -> tuple[int | None, int]:
    """Wait for the program's end, the host's, or too much memory; return (exit status, memory in use)."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(os.pidfd_open(child), select.POLLIN)
    while True:
        host_is_gone = any(descriptor == control for descriptor, _ in poll.poll(TICK * 1000))
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return (code if code >= 0 else 128 - code), 0
        if host_is_gone:
            return None, 0
        reap_orphans(child)
        used = sum(resident_bytes(process) for process in descendants(os.getpid()))
        if used > memory:
            return None, used


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


if __name__ == "__main__":
    main()
