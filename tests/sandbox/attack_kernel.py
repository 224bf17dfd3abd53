"""Attacks that write to what is read-only, gain rights, or reach the kernel's more dangerous doors. What decides: files
of the host, or what /proc shows of the attack's processes to those outside."""

import ctypes
import os
import re
import stat
import struct
import sys
from pathlib import Path

import pytest

from sandbox.base import RunResult
from tests.sandbox.attack_ground import Attack, Ground, Scene, Watch
from tests.sandbox.attack_places import beside_a_victim, unconfined, weak_container

NAMESPACES = ("user", "net", "mnt", "ipc", "uts", "cgroup", "pid", "pid_for_children")
ROOT_FOLDERS = ("/", "/usr", "/usr/lib", "/usr/local/bin", "/etc", "/opt", "/var", "/root", "/box", "/proc", "/dev")
PAUSE = bytes.fromhex("b8220000000f05ebf7")
"""x86-64: mov eax, 34 (pause); syscall; again."""


def status_of(process: int, key: str) -> list[str]:
    """Return the values of one line of /proc/PROCESS/status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{key}:"))


def descriptors_of(process: int) -> list[tuple[str, int]]:
    """Return what a process holds open, with the flags that it was opened with."""
    found: list[tuple[str, int]] = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        info = Path(f"/proc/{process}/fdinfo/{link.name}").read_text()
        flags = re.search(r"^flags:\s*(\d+)", info, re.MULTILINE)
        if not is_masked(link):
            found.append((str(link.readlink()), int(flags[1], 8) if flags else 0))
    return found


def is_masked(link: Path) -> bool:
    """Whether what looks like another file is /dev/null, mounted over it."""
    return link.stat().st_rdev == Path("/dev/null").stat().st_rdev


def holds(pattern: str, *, for_writing: bool = False) -> Watch:
    """Return a watch for a process that has something open whose name matches."""

    def watch(processes: list[int]) -> bool:
        return any(
            re.search(pattern, name) and (not for_writing or flags & os.O_ACCMODE)
            for process in processes
            for name, flags in descriptors_of(process)
        )

    return watch


def prepare_write_root(ground: Ground) -> Scene:
    name = f"{ground.mark}.py"
    folders = (*ROOT_FOLDERS, "/box/in", sys.prefix, "/opt/venv", str(Path(os.__file__).parent))

    def is_there(processes: list[int]) -> bool:
        places = [Path(f"/proc/{process}/root{folder}/{name}") for process in processes for folder in folders]
        return any(place.exists() for place in places)

    return Scene((name, *folders), watch=is_there)


def prepare_input(ground: Ground) -> Scene:
    data = ground.plant_file("data", "as it was")
    before = data.stat()

    def is_changed(_: RunResult) -> bool:
        if not data.exists():
            return True
        now = data.stat()
        kept = (now.st_mode, now.st_mtime_ns, now.st_ino) == (before.st_mode, before.st_mtime_ns, before.st_ino)
        return not kept or data.read_text() != "as it was" or bool(os.listxattr(data))

    return Scene(inputs={"data": data}, succeeded=is_changed)


def prepare_model(ground: Ground) -> Scene:
    model = ground.path / "model"
    model.mkdir()
    for name in ("model.safetensors", "config.json"):
        ground.plant_file(f"model/{name}", "as it was")

    def is_changed(_: RunResult) -> bool:
        kept = {path.name: path.read_text() for path in model.iterdir()}
        unchanged = {"model.safetensors": "as it was", "config.json": "as it was"}
        return kept != unchanged or stat.S_IMODE(model.stat().st_mode) != mode

    mode = stat.S_IMODE(model.stat().st_mode)
    return Scene(inputs={"model": model}, succeeded=is_changed)


def prepare_new_mount(_: Ground) -> Scene:
    def is_mounted(processes: list[int]) -> bool:
        return any("planted-mount" in Path(f"/proc/{process}/mountinfo").read_text() for process in processes)

    return Scene(watch=is_mounted)


def prepare_devices(ground: Ground) -> Scene:
    mode = stat.S_IMODE(Path("/dev/full").stat().st_mode)

    def restore() -> None:
        if stat.S_IMODE(Path("/dev/full").stat().st_mode) != mode:
            Path("/dev/full").chmod(mode)

    ground.stack.callback(restore)

    def is_changed(processes: list[int]) -> bool:
        modes = [Path(f"/proc/{process}/root/dev/full").stat().st_mode for process in processes]
        return any(stat.S_IMODE(one) == 0o646 for one in modes)

    return Scene(watch=is_changed)


def prepare_change_root(_: Ground) -> Scene:
    def has_moved(processes: list[int]) -> bool:
        return any(str(Path(f"/proc/{process}/root").readlink()).endswith("/jail") for process in processes)

    return Scene(watch=has_moved)


def prepare_namespaces(_: Ground) -> Scene:
    def differ(processes: list[int]) -> bool:
        found = [{str(Path(f"/proc/{process}/ns/{kind}").readlink()) for process in processes} for kind in NAMESPACES]
        return any(len(names) > 1 for names in found)

    return Scene(watch=differ)


def any_victim(_: Ground) -> dict[str, object]:
    return {"user": "0:0"}


def prepare_set_user(_: Ground) -> Scene:
    def differ(processes: list[int]) -> bool:
        users = {tuple(status_of(process, "Uid")) for process in processes}
        return len(users) > 1 or any(len(set(numbers)) > 1 for numbers in users)

    return Scene(watch=differ)


def prepare_setuid_file(ground: Ground) -> Scene:
    if os.getuid() != 0 or os.uname().machine != "x86_64":
        pytest.skip("only root can plant a program with root's setuid bit, and this one is for x86-64")
    tool = ground.plant_file("tool")
    tool.write_bytes(_executable(PAUSE))
    tool.chmod(0o4755)

    def is_root(processes: list[int]) -> bool:
        has_changed = any(len(set(status_of(process, "Uid"))) > 1 for process in processes)
        return has_changed or any(int(status_of(process, "CapEff")[0], 16) for process in processes)

    return Scene(inputs={"tool": tool}, watch=is_root)


def _executable(code: bytes) -> bytes:
    """Return the smallest program for x86-64 that runs `code`."""
    start, headers = 0x400000, 64 + 56
    size = headers + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, start + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000) + code


def prepare_device_node(_: Ground) -> Scene:
    def is_there(processes: list[int]) -> bool:
        patterns = ("cwd/out/node*", "root/tmp/node*", "root/dev/shm/node*", "root/dev/node*", "cwd/node*")
        return any(list(Path(f"/proc/{process}").glob(pattern)) for process in processes for pattern in patterns)

    return Scene(watch=is_there)


def is_traced(processes: list[int]) -> bool:
    return any(status_of(process, "TracerPid") != ["0"] for process in processes)


def prepare_trace_host(ground: Ground) -> Scene:
    victim = ground.spawn("sleep", "60").pid
    return Scene((str(victim),), watch=lambda _: is_traced([victim]))


def prepare_handle(ground: Ground) -> Scene:
    """Give the attack the handle of a file, as it could find by trying numbers."""
    kind, buffer = ctypes.c_int(), ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    mount = ctypes.c_int()
    path = str(ground.plant_file()).encode()
    if ctypes.CDLL(None).name_to_handle_at(-100, path, buffer, ctypes.byref(mount), 0) != 0:
        pytest.skip("the file system of the temporary folder has no handles")
    length, kind = struct.unpack_from("Ii", buffer.raw)
    return Scene((str(kind), buffer.raw[8 : 8 + length].hex()), succeeded=ground.tells_secret)


def prepare_real_time(_: Ground) -> Scene:
    def has_priority(processes: list[int]) -> bool:
        policies = {os.sched_getscheduler(process) for process in processes}
        return bool(policies & {os.SCHED_FIFO, os.SCHED_RR}) or any(
            os.getpriority(os.PRIO_PROCESS, process) < 0 for process in processes
        )

    return Scene(watch=has_priority)


def prepare_shared_memory(ground: Ground) -> Scene:
    key = 1 + int(ground.mark[-6:], 16)

    def is_shared(_: list[int]) -> bool:
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        found = [line.split()[1] for line in lines if line.split()[0] == str(key)]
        for number in found:
            ctypes.CDLL(None).shmctl(int(number), 0, None)  # remove it
        return bool(found)

    return Scene((str(key),), watch=is_shared)


def watching(pattern: str, *, for_writing: bool = False) -> Scene:
    return Scene(watch=holds(pattern, for_writing=for_writing))


OPEN = {"cap_add": ["SYS_ADMIN", "SYS_PTRACE"], "security_opt": ["seccomp=unconfined", "apparmor=unconfined"]}
ALMOST_ROOT = weak_container(**OPEN)
"""A container without a filter. Not `privileged`: that asks for more capabilities than some hosts have themselves."""
LIMIT_FILES = r"/(release_agent|memory\.limit_in_bytes|memory\.max|pids\.max|cgroup\.procs)$"
DEVICES = r"^/dev/(mem|kmem|port|kmsg|loop0|[svx]d[a-z]|nvme0n1|kvm|fuse|net/tun)$|^/proc/kcore$"
ROOT_FILES = r"^/proc/(slabinfo|vmallocinfo|kpage\w+|pagetypeinfo|timer_list)$"

ATTACKS = (
    Attack("write_root", prepare_write_root, weak_container()),
    Attack("write_input", prepare_input, unconfined),
    Attack("write_model", prepare_model, unconfined),
    Attack("remount", prepare_input, ALMOST_ROOT),
    Attack("new_mount", prepare_new_mount, ALMOST_ROOT),
    Attack("chmod_devices", prepare_devices, weak_container()),
    Attack("change_root", prepare_change_root, weak_container()),
    Attack("unshare", prepare_namespaces, ALMOST_ROOT),
    Attack("clone_namespaces", prepare_namespaces, ALMOST_ROOT),
    Attack("join_namespace", prepare_namespaces, beside_a_victim("pid_mode", any_victim, **OPEN)),
    Attack("set_user", prepare_set_user, weak_container()),
    Attack("setuid_file", prepare_setuid_file, weak_container(user="65534:65534")),
    Attack("device_node", prepare_device_node, weak_container()),
    Attack("trace_host", prepare_trace_host, unconfined),
    Attack("trace_sibling", lambda _: Scene(watch=is_traced), unconfined),
    Attack("bpf", lambda _: watching("bpf-map"), ALMOST_ROOT),
    Attack("userfaultfd", lambda _: watching("userfaultfd"), unconfined),
    Attack("perf_event", lambda _: watching("perf_event"), ALMOST_ROOT),
    Attack("io_uring", lambda _: watching("io_uring"), ALMOST_ROOT),
    Attack("foreign_calls", lambda _: watching("userfaultfd"), ALMOST_ROOT),
    Attack("open_by_handle", prepare_handle, weak_container(cap_add=["DAC_READ_SEARCH"])),
    Attack("core_pattern", lambda _: watching("^/proc/.*/kernel/", for_writing=True), ALMOST_ROOT),
    Attack("control_groups", lambda _: watching(LIMIT_FILES, for_writing=True), ALMOST_ROOT),
    Attack("raw_devices", lambda _: watching(DEVICES), weak_container(devices=["/dev/kmsg"], cap_add=["SYSLOG"])),
    Attack("root_files_in_proc", lambda _: watching(ROOT_FILES), weak_container()),
    Attack("real_time", prepare_real_time, weak_container(cap_add=["SYS_NICE"])),
    Attack("shared_memory", prepare_shared_memory, unconfined),
)
