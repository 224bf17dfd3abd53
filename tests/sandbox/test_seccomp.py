"""The filter of system calls: every number by an interpreter, and what a script could try by the kernel."""

import errno
import json
import os
import platform
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from records.errors import SandboxError
from sandbox.seccomp import BY_ARGUMENT, DENIED, MACHINES, MISSING, NEWEST, syscall_filter

ALLOWED = 0
KILLED = "killed"
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028, "mips": 0x8}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
# What Docker's default profile denies to a container without capabilities, but for calls that no kernel has any more.
DENIED_BY_DOCKER = """
_sysctl acct add_key bpf chroot clock_settime clone3 create_module delete_module fanotify_init finit_module fsconfig
fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup ioperm
iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount
move_pages nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise query_module
quotactl quotactl_fd reboot request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname setns
settimeofday swapoff swapon sysfs syslog umount2 unshare uselib userfaultfd ustat vhangup
"""
X32_BIT = 1 << 30
CLONE_FS, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWTIME = 0x200, 0x20000, 0x10000000, 0x80
THREAD_FLAGS, FORK_FLAGS = 0x3D0F00, 0x1200000 | signal.SIGCHLD  # the C library's own
TIOCSTI, TIOCLINUX, TIOCGWINSZ = 0x5412, 0x541C, 0x5413
AF_UNIX, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK = 1, 16, 17, 38, 40
HIGH_BITS = 0xABCD << 32  # the kernel does not look at them

LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
TESTS = {
    EQUAL: lambda word, value: word == value,
    GREATER: lambda word, value: word > value,
    ANY_BIT: lambda word, value: word & value,
}


def decoded(program):
    return list(struct.iter_unpack("<HBBI", program))


def verdict(program, architecture, number, *arguments):
    """Run a program as the kernel does; return the error number, ALLOWED or KILLED."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    instructions = decoded(program)
    place = word = 0
    while True:
        code, met, otherwise, value = instructions[place]
        place += 1
        if code == LOAD:
            (word,) = struct.unpack_from("<I", data, value)
        elif code == RETURN:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(value, value ^ 0x50000)
        else:
            place += met if TESTS[code](word, value) else otherwise


@pytest.fixture(params=sorted(MACHINES))
def machine(request):
    return request.param


@pytest.fixture
def judge(machine):
    """Return the verdict on a call of that machine, by name or by number."""
    program = syscall_filter(machine)
    numbers = numbers_of(machine)

    def look(call, *arguments):
        return verdict(program, ARCHITECTURES[machine], numbers.get(call, call), *arguments)

    return look


def numbers_of(machine):
    """The numbers that the filter knows, by name, of the calls that a machine has."""
    calls = {**MISSING, **DENIED, **{name: numbers for name, (numbers, _) in BY_ARGUMENT.items()}}
    column = MACHINES[machine].column
    return {name: numbers[column] for name, numbers in calls.items() if numbers[column] is not None}


def test_the_program_is_one_that_the_kernel_takes(machine):
    instructions = decoded(syscall_filter(machine))
    assert len(instructions) <= 4096  # BPF_MAXINSNS
    assert instructions[-1][0] == RETURN
    for place, (code, met, otherwise, value) in enumerate(instructions):
        assert code in {LOAD, RETURN, *TESTS}
        assert place + 1 + max(met, otherwise) < len(instructions) or code == RETURN
        assert code != LOAD or (value % 4 == 0 and value < 64)


def test_each_number_gets_what_its_list_says(machine, judge):
    by_number = {number: name for name, number in numbers_of(machine).items()}
    assert len(by_number) == len(numbers_of(machine)), "two calls have one number"
    for number in range(1200):
        name = by_number.get(number)
        if name in BY_ARGUMENT:
            continue
        expected = errno.ENOSYS if name in MISSING or number > NEWEST else errno.EPERM if name in DENIED else ALLOWED
        assert judge(number) == expected, f"{number} {name}"


def test_the_list_denies_what_docker_denies():
    assert {*DENIED_BY_DOCKER.split()} - {*MISSING, *DENIED} == set()


def test_newer_numbers_those_of_x32_and_negative_ones_do_not_exist(judge):
    assert judge("set_mempolicy_home_node") == errno.EPERM
    assert judge(451) == errno.ENOSYS  # cachestat, which a kernel may have
    for number in range(1200):
        assert judge(number | X32_BIT) == errno.ENOSYS
        assert judge(2**32 - 1 - number) == errno.ENOSYS


@pytest.mark.parametrize("other", ARCHITECTURES)
def test_a_call_of_another_architecture_ends_the_process(machine, other):
    program = syscall_filter(machine)
    for number in [*range(1200), X32_BIT, 2**32 - 1]:
        assert (verdict(program, ARCHITECTURES[other], number) == KILLED) == (other != machine)


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("clone", [THREAD_FLAGS], ALLOWED),
        ("clone", [FORK_FLAGS], ALLOWED),
        ("clone", [CLONE_NEWTIME], ALLOWED),  # to clone() a part of the signal's number
        *[("clone", [FORK_FLAGS | flag], errno.EPERM) for flag in (0x20000, *(1 << bit for bit in range(25, 31)))],
        ("mknodat", [0, 0, stat.S_IFREG | 0o600], ALLOWED),
        ("mknodat", [0, 0, stat.S_IFIFO | 0o777], ALLOWED),
        ("mknodat", [0, 0, stat.S_IFSOCK], ALLOWED),
        ("mknodat", [0, 0, 0o777], ALLOWED),
        ("mknodat", [0, 0, stat.S_IFCHR | 0o600], errno.EPERM),
        ("mknodat", [0, 0, stat.S_IFBLK], errno.EPERM),
        ("mknodat", [0, 0, stat.S_IFBLK | HIGH_BITS], errno.EPERM),
        ("ioctl", [0, TIOCGWINSZ], ALLOWED),
        ("ioctl", [0, TIOCSTI], errno.EPERM),
        ("ioctl", [0, TIOCLINUX], errno.EPERM),
        ("ioctl", [0, TIOCSTI | HIGH_BITS], errno.EPERM),
        ("ioctl", [TIOCSTI, TIOCGWINSZ, TIOCSTI], ALLOWED),
        ("personality", [0], ALLOWED),
        ("personality", [0xFFFFFFFF], ALLOWED),
        ("personality", [2**64 - 1], ALLOWED),
        ("personality", [0x40000], errno.EPERM),  # ADDR_NO_RANDOMIZE
        ("personality", [0x40000 | HIGH_BITS], errno.EPERM),
        *[(call, [AF_UNIX], ALLOWED) for call in ("socket", "socketpair")],
        *[("socket", [family], errno.EAFNOSUPPORT) for family in range(64) if family != AF_UNIX],
        ("socket", [AF_VSOCK | HIGH_BITS], errno.EAFNOSUPPORT),
        ("socketpair", [AF_NETLINK], errno.EAFNOSUPPORT),
    ],
)
def test_calls_judged_by_an_argument(judge, call, arguments, expected):
    assert judge(call, *arguments) == expected


def test_mknod_of_x86_64_is_judged_as_mknodat_is():
    program, number = syscall_filter("x86_64"), numbers_of("x86_64")["mknod"]
    assert verdict(program, ARCHITECTURES["x86_64"], number, 0, stat.S_IFIFO) == ALLOWED
    assert verdict(program, ARCHITECTURES["x86_64"], number, 0, stat.S_IFCHR) == errno.EPERM


def test_the_numbers_are_those_of_the_kernels_headers(machine):
    header = HEADERS[machine]
    if not header.is_file():
        unavailable(f"no {header} here (Debian, Ubuntu: linux-libc-dev)")
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", header.read_text(), re.MULTILINE)
    real = {name: int(number) for name, number in found}
    assert numbers_of(machine) == {name: real[name] for name in numbers_of(machine)}
    lacking = {*MISSING, *DENIED, *BY_ARGUMENT} - {*numbers_of(machine)}
    assert not lacking & {*real}, "calls that the machine has, and the list says that it has not"


@pytest.mark.parametrize("name", ["riscv64", "i686", "aarch64_be", "arm64", "AMD64"])
def test_there_is_no_filter_for_another_machine(name):
    with pytest.raises(SandboxError, match=f"`{name}`.*x86_64 and aarch64") as caught:
        syscall_filter(name)
    assert "aarch64" in caught.value.next_step


def test_by_default_the_filter_is_of_this_machine():
    assert syscall_filter() == syscall_filter(platform.machine())


# What a script could try, with arguments that harm nobody: the kernel itself answers each with success or with another
# error than the filter's, and without privileges. -100 is AT_FDCWD; a 0 is often a null pointer.
ATTEMPTS = {
    "ptrace": [16, -1, 0, 0],  # PTRACE_ATTACH
    "process_vm_readv": [0, 0, 0, 0, 0, 0],
    "process_vm_writev": [0, 0, 0, 0, 0, 0],
    "process_madvise": [-1, 0, 0, 0, 0],
    "kcmp": [0, 0, 0, 0, 0],
    "pidfd_getfd": [-1, 0, 0],
    "add_key": [0, 0, 0, 0, 0],
    "request_key": [0, 0, 0, 0],
    "keyctl": [0, -4, 1],  # KEYCTL_GET_KEYRING_ID of the user's keyring
    "bpf": [1, 0, 1 << 20],
    "perf_event_open": [0, -1, -1, -1, 0xFFFF],
    "userfaultfd": [1],  # UFFD_USER_MODE_ONLY
    "memfd_secret": [-1],
    "modify_ldt": [0, 0, 0],
    "sysfs": [3],
    "ustat": [-1, 0],
    "mount": [0, 0, 0, 0, 0],
    "umount2": [0, 0],
    "chroot": [0],
    "unshare": [0],
    "setns": [-1, 0],
    "open_tree": [-100, 0, 0],
    "mount_setattr": [-1, 0, 0xFFFFFFFF, 0, 0],
    "name_to_handle_at": [-100, 0, 0, 0, 0],
    "quotactl": [0xFF, 0, 0, 0],
    "quotactl_fd": [-1, 0, 0, 0],
    "clock_settime": [0, 0],
    "clock_adjtime": [0, 0],
    "adjtimex": [0],
    "mbind": [0, 0, 0, 0, 0, 0],
    "set_mempolicy": [0, 0, 0],
    "get_mempolicy": [0, 0, 0, 0, 0],
    "move_pages": [0, 0, 0, 0, 0, 0],
    "clone": [CLONE_NEWNS | CLONE_FS],  # no child: the two exclude each other
    "mknodat": [-100, 0, stat.S_IFCHR, 0],
    "ioctl": [-1, TIOCSTI | HIGH_BITS],
    "personality": [0x40000],
    "clone3": [0, 0],
    "io_uring_setup": [1, 0],
    "io_uring_enter": [-1, 0, 0, 0, 0, 0],
    "io_uring_register": [-1, 0, 0, 0],
    "socket": [AF_NETLINK, 3, 0],
    "socketpair": [AF_PACKET, 3, 0, 0],
}
TRY = """
import ctypes, json, sys

library = ctypes.CDLL(None, use_errno=True)
outcomes = {}
for name, words in json.loads(sys.argv[1]).items():
    done = library.syscall(*map(ctypes.c_long, words))
    outcomes[name] = ctypes.get_errno() if done == -1 else 0
print(json.dumps(outcomes))
"""
INSTALL = """
import ctypes

program = bytes.fromhex("{program}")
buffer = ctypes.create_string_buffer(program, len(program))


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


library = ctypes.CDLL(None, use_errno=True)
assert library.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
sock_fprog = SockFprog(len(program) // 8, ctypes.addressof(buffer))
assert library.prctl(22, 2, ctypes.byref(sock_fprog), 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
"""
CALL_AS_32_BIT = """
import ctypes, mmap

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000 cd80 c3"))  # mov eax, 20 (getpid); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""
DAILY_WORK = """
import asyncio, multiprocessing, os, socket, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, range(-4, 0))) == [4, 3, 2, 1]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
with multiprocessing.get_context("forkserver").Pool(1) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
assert subprocess.run([sys.executable, "-c", "print(7)"], capture_output=True).stdout == b"7\\n"


async def start_process():
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()


assert asyncio.run(start_process()) == 0
with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
    server.bind("")
    server.listen()
    client.connect(server.getsockname())
shared = SharedMemory(create=True, size=4096)
shared.close()
shared.unlink()
with tempfile.TemporaryDirectory() as folder:
    os.mkfifo(Path(folder, "fifo"))
    Path(folder, "file").write_bytes(os.urandom(10))
    os.replace(Path(folder, "file"), Path(folder, "other"))
os.close(os.memfd_create("file"))
print("done")
"""


def unavailable(what):
    """Skip, and fail where AUTOANNOTATOR_REQUIRE_BWRAP says that this machine has all that the tests need."""
    if os.environ.get("AUTOANNOTATOR_REQUIRE_BWRAP") == "1":
        pytest.fail(what)
    pytest.skip(what)


def run_script(words, script, *arguments, **options):
    words = [*words, sys.executable, "-I", "-c", script, *arguments]
    streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(words, check=False, timeout=60, **streams, **options)


def run_bare(script, *arguments):
    return run_script([], script, *arguments)


def run_with_prctl(script, *arguments):
    return run_script([], INSTALL.format(program=syscall_filter().hex()) + script, *arguments)


def run_with_bwrap(script, *arguments):
    descriptor = os.memfd_create("filter")
    try:
        os.pwrite(descriptor, syscall_filter(), 0)
        words = ["bwrap", "--dev-bind", "/", "/", "--seccomp", str(descriptor), "--"]
        return run_script(words, script, *arguments, pass_fds=[descriptor])
    finally:
        os.close(descriptor)


@pytest.fixture(params=["bwrap", "prctl"])
def run_filtered(request):
    """Run a Python script under the filter, in both ways that the sandboxes install it."""
    if platform.machine() not in MACHINES:
        unavailable(f"no filter for {platform.machine()}")
    if request.param == "bwrap" and shutil.which("bwrap") is None:
        unavailable("no bwrap in PATH")
    return run_with_bwrap if request.param == "bwrap" else run_with_prctl


def outcomes(run, attempts):
    """Return the error number, or 0, of each attempt (calls of this machine, with their arguments)."""
    numbers = numbers_of(platform.machine())
    elsewhere = {name for name in (*DENIED, *BY_ARGUMENT) if name not in numbers}
    calls = {name: [numbers[name], *words] for name, words in attempts.items() if name not in elsewhere}
    result = run(TRY, json.dumps(calls))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_attempts_are_refused_under_the_filter_and_not_without(run_filtered):
    if "Seccomp:\t0" not in Path("/proc/self/status").read_text():
        unavailable("these tests are under a filter themselves, which could refuse what they compare with")
    errors = {**dict.fromkeys(MISSING, errno.ENOSYS), "socket": errno.EAFNOSUPPORT, "socketpair": errno.EAFNOSUPPORT}
    refused = outcomes(run_filtered, ATTEMPTS)
    assert refused == {name: errors.get(name, errno.EPERM) for name in refused}
    without = outcomes(run_bare, ATTEMPTS)
    assert {name for name in without if without[name] == refused[name]} == set()


def test_the_kernel_refuses_every_call_of_the_list(run_filtered):
    attempts = {name: [-1] * 6 for name in DENIED}
    assert set(outcomes(run_filtered, attempts).values()) == {errno.EPERM}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a way in of x86_64 only")
def test_a_32_bit_call_ends_the_process(run_filtered):
    killed = {-signal.SIGSYS, 128 + signal.SIGSYS}  # by prctl, and as bwrap reports it
    assert run_filtered(CALL_AS_32_BIT).returncode in killed
    assert run_bare(CALL_AS_32_BIT).returncode not in killed


def test_daily_work_goes_on_under_the_filter(run_filtered):
    result = run_filtered(DAILY_WORK)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")
