"""Attacks on the machine's means, on who reads the output, and on the watchers. What decides: what the kernel counts
for the attack's processes, what the host has kept of its output, and which processes live afterwards."""

import contextlib
import ctypes
import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from sandbox.base import RunResult
from sandbox.process import ProcessSandbox
from tests.sandbox.attack_ground import LIMITS, MIB, Attack, Ground, Scene
from tests.sandbox.attack_places import beside_a_victim, in_sandbox, unconfined, weak_container

MEMORY = 256 * MIB
STORAGE = 64 * MIB
FILES = 100_000
"""Empty, each takes a kilobyte of the kernel's memory."""
SMALL = replace(LIMITS, memory=MEMORY, storage=STORAGE)


def prepare_fork_bomb(_: Ground) -> Scene:
    limits = replace(LIMITS, processes=64)
    return Scene(("200",), limits=limits, watch=lambda processes: len(processes) > limits.processes)


def prepare_thread_bomb(_: Ground) -> Scene:
    limits = replace(LIMITS, processes=64)

    def are_too_many(processes: list[int]) -> bool:
        return sum(count_entries(Path(f"/proc/{process}/task")) for process in processes) > limits.processes

    return Scene(("200",), limits=limits, watch=are_too_many)


def prepare_memory_bomb(_: Ground) -> Scene:
    """A little over the limit is no success: a supervisor may look ten times a second."""

    def is_too_much(processes: list[int]) -> bool:
        return sum(resident_bytes(process) for process in processes) > 2 * MEMORY

    return Scene(("700",), limits=SMALL, watch=is_too_much, cause="oom")


def resident_bytes(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGESIZE")


def prepare_memory_in_files(_: Ground) -> Scene:
    def is_too_much(processes: list[int]) -> bool:
        held: dict[tuple[int, int], int] = {}
        for process in processes:
            for link in Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    file = link.stat()
                    held[file.st_dev, file.st_ino] = 512 * file.st_blocks
        return sum(held.values()) > 1.5 * MEMORY

    return Scene(("200",), limits=SMALL, watch=is_too_much)


def prepare_memory_in_sockets(_: Ground) -> Scene:
    """What waits in connections of the whole machine, as the kernel counts it in pages."""

    def read_waiting() -> int:
        words = Path("/proc/net/sockstat").read_text().split("TCP:")[1].split()
        return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGESIZE")

    before = read_waiting()
    return Scene(("64",), watch=lambda _: read_waiting() - before > 48 * MIB)


def bytes_below(folder: Path) -> int:
    return sum(512 * path.lstat().st_blocks for path in folder.rglob("*"))


def prepare_disk_fill(_: Ground) -> Scene:
    def is_too_much(processes: list[int]) -> bool:
        return any(bytes_below(Path(f"/proc/{process}/cwd/out")) > 1.1 * STORAGE for process in processes)

    return Scene(("160",), limits=SMALL, watch=is_too_much)


def prepare_inode_fill(_: Ground) -> Scene:
    def are_too_many(processes: list[int]) -> bool:
        if not any(Path(f"/proc/{process}/cwd/out/tried").exists() for process in processes):
            return False  # counting takes time
        return any(count_entries(Path(f"/proc/{process}/cwd/out/many")) >= FILES - 1 for process in processes)

    return Scene((str(FILES),), limits=replace(LIMITS, memory=64 * MIB), watch=are_too_many)


def count_entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def prepare_watch_queues(_: Ground) -> Scene:
    def are_used_up(_: list[int]) -> bool:
        library = ctypes.CDLL(None, use_errno=True)
        descriptor = library.inotify_init1(os.O_CLOEXEC)
        if descriptor >= 0:
            os.close(descriptor)
        return descriptor < 0 and ctypes.get_errno() == errno.EMFILE

    return Scene(watch=are_used_up)


def prepare_signal_queues(_: Ground) -> Scene:
    """The kernel's count is of all that the attack's user has queued."""

    def are_used(processes: list[int]) -> bool:
        counts = [Path(f"/proc/{process}/status").read_text().partition("SigQ:\t")[2] for process in processes]
        return any(int(count.partition("/")[0]) > 10_000 for count in counts)

    return Scene(("20000",), watch=are_used)


def prepare_output_flood(_: Ground) -> Scene:
    def is_all_kept(result: RunResult) -> bool:
        return len(result.stdout) + len(result.stderr) > 3 * LIMITS.output

    return Scene(("64",), succeeded=is_all_kept)


def is_no_text(result: RunResult) -> bool:
    try:
        (result.stdout + result.stderr + result.detail).encode()
    except UnicodeEncodeError:
        return True
    return False


def commands_terminal(result: RunResult) -> bool:
    """Whether a person who has the result printed would see something else than what was written."""
    text = result.stdout + result.stderr + result.detail
    return any(not letter.isprintable() and letter not in "\n\t" for letter in text)


def prepare_patience(ground: Ground) -> Scene:
    limits = replace(LIMITS, seconds=1.5)
    return Scene(limits=limits, succeeded=lambda _: bool(ground.processes()), cause="timeout")


def prepare_survival(ground: Ground) -> Scene:
    return Scene(succeeded=lambda _: bool(ground.processes()))


def prepare_held_streams(_: Ground) -> Scene:
    limits = replace(LIMITS, seconds=4)
    return Scene(limits=limits, succeeded=lambda result: result.cause == "timeout", cause="ok")


def prepare_kill_host_process(ground: Ground) -> Scene:
    victim = ground.spawn("sleep", "60")

    def is_dead(_: RunResult) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(0.3)
        return victim.returncode is not None

    return Scene((str(victim.pid),), succeeded=is_dead)


def prepare_kill_everything(ground: Ground) -> Scene:
    """The victim is a process of the host, and in the control a container beside the attack."""
    victim = ground.spawn("sleep", "60")

    def has_killed(_: RunResult) -> bool:
        for other in ground.victims:
            other.reload()
        return victim.poll() is not None or any(other.status != "running" for other in ground.victims)

    return Scene((str(Path("/proc/self/ns/pid").readlink()),), succeeded=has_killed)


def any_victim(_: Ground) -> dict[str, object]:
    return {"user": "0:0"}


def unwatched(ground: Ground, script: Path, scene: Scene) -> RunResult:
    """Run a script as a plain process under this package's supervisor, which nothing protects from it."""
    return in_sandbox(ProcessSandbox())(ground, script, scene)


ATTACKS = (
    Attack("fork_bomb", prepare_fork_bomb, weak_container(), bomb=True),
    Attack("thread_bomb", prepare_thread_bomb, weak_container(), bomb=True),
    Attack("memory_bomb", prepare_memory_bomb, weak_container(), bomb=True),
    Attack("memory_of_many", prepare_memory_bomb, weak_container(), bomb=True),
    Attack("memory_in_files", prepare_memory_in_files, weak_container(shm_size=2**30), bomb=True),
    Attack("memory_in_sockets", prepare_memory_in_sockets, unconfined, bomb=True),
    Attack("disk_fill", prepare_disk_fill, weak_container(), bomb=True),
    Attack("inode_fill", prepare_inode_fill, weak_container(), bomb=True),
    Attack("watch_queues", prepare_watch_queues, unconfined, bomb=True),
    Attack("signal_queues", prepare_signal_queues, unconfined),
    Attack("output_flood", prepare_output_flood, unconfined, bomb=True),
    Attack("invalid_utf8", lambda _: Scene(succeeded=is_no_text), unconfined),
    Attack("terminal_escapes", lambda _: Scene(succeeded=commands_terminal), unconfined),
    Attack("ignore_signals", prepare_patience, unconfined),
    Attack("daemon", prepare_survival, unconfined),
    Attack("held_streams", prepare_held_streams, unconfined),
    Attack("kill_host_process", prepare_kill_host_process, unconfined),
    Attack("kill_everything", prepare_kill_everything, beside_a_victim("pid_mode", any_victim)),
    Attack("kill_supervisor", prepare_survival, unwatched),
)
