"""The system calls that a program in a sandbox may make, as a seccomp filter: one for bubblewrap and for Docker.

The filter is a classic BPF program, which the kernel runs at each system call; it takes no library. It denies at least
what Docker's default profile denies to a container without capabilities. Its jumps are all forward and within one
block, and it looks at arguments only in the calls that need it, so that the kernel (5.11 and newer) remembers which
calls are always allowed and does not run it for those.
"""

import platform
import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

from records.errors import SandboxError

# Words of <linux/bpf_common.h>, <linux/seccomp.h> and <linux/audit.h>.
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS: a 32-bit word of struct seccomp_data
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K, unsigned
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
# SECCOMP_RET_ERRNO with Linux's EPERM, ENOSYS and EAFNOSUPPORT (this machine's own may differ where Docker has a VM).
_NOT_PERMITTED, _NO_SUCH_CALL, _NO_SUCH_FAMILY = 0x00050000 | 1, 0x00050000 | 38, 0x00050000 | 97
_NUMBER_OFFSET = 0
_ARCHITECTURE_OFFSET = 4
_ARGUMENTS_OFFSET = 16  # six of 64 bits, the low word first

# <linux/sched.h>: each kind of new namespace that clone() can make (CLONE_NEWTIME is for unshare() and clone3() only).
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_DEVICE = stat.S_IFCHR & stat.S_IFBLK  # a bit that no other file that mknod() makes has
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into the terminal
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10  # of Linux, wherever the filter is made

Numbers = tuple[int, int | None]  # of a call on x86_64 and on aarch64; None: that machine does not have it


class Machine(NamedTuple):
    architecture: int  # AUDIT_ARCH_*
    column: int  # in Numbers


class ArgumentRule(NamedTuple):
    """Of one call's argument, its low 32 bits, which are all that the kernel itself looks at in these calls.

    `met` is returned where the argument equals one of `values` (or, with `test` _ANY_BIT, has a bit of one of them),
    `otherwise` where not.
    """

    argument: int
    test: int
    values: tuple[int, ...]
    met: int
    otherwise: int


MACHINES = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}

# set_mempolicy_home_node (Linux 5.17), on both machines. A newer call, which nobody looked at here, does not exist: a
# program falls back to an older one. This also holds for x32's numbers (bit 30 set) and negative ones.
NEWEST = 450

MISSING: dict[str, Numbers] = {
    "clone3": (435, 435),  # its flags lie in memory, where no filter can look; the C library falls back to clone
    "inotify_init": (253, None),  # counted for each user: a program could use up its host's
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),  # its requests are system calls that no filter sees
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}

DENIED: dict[str, Numbers] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # the kernel's keys, which no namespace holds
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # large pieces of kernel that a script has no use for, or that help to exploit others
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_secret": (447, 447),
    "modify_ldt": (154, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "sysfs": (139, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "_sysctl": (156, None),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # files past their path, and whole file systems
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    # the kernel itself
    "create_module": (174, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "syslog": (103, 116),
    # the machine's clock, names, terminal and ports
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    # the placement of memory
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "get_mempolicy": (239, 236),
    "set_mempolicy_home_node": (450, 450),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}

# Unix only: what waits in a network socket is not counted as the program's memory everywhere, and there is no network.
_NETWORKS = ArgumentRule(0, _EQUAL, (_AF_UNIX,), _ALLOW, _NO_SUCH_FAMILY)
BY_ARGUMENT: dict[str, tuple[Numbers, ArgumentRule]] = {
    "clone": ((56, 220), ArgumentRule(0, _ANY_BIT, (_NEW_NAMESPACES,), _NOT_PERMITTED, _ALLOW)),
    "mknod": ((133, None), ArgumentRule(1, _ANY_BIT, (_DEVICE,), _NOT_PERMITTED, _ALLOW)),
    "mknodat": ((259, 33), ArgumentRule(2, _ANY_BIT, (_DEVICE,), _NOT_PERMITTED, _ALLOW)),
    "ioctl": ((16, 29), ArgumentRule(1, _EQUAL, (_TIOCSTI, _TIOCLINUX), _NOT_PERMITTED, _ALLOW)),
    "personality": ((135, 92), ArgumentRule(0, _EQUAL, (0, 0xFFFFFFFF), _ALLOW, _NOT_PERMITTED)),  # all ones: ask
    "socket": ((41, 198), _NETWORKS),
    "socketpair": ((53, 199), _NETWORKS),
}


def syscall_filter(machine: str | None = None) -> bytes:
    """Return the filter of a machine (`x86_64` or `aarch64`; by default this one): an array of `struct sock_filter`.

    It is what `bwrap --seccomp FD` reads, and what `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER)` takes as the `filter`
    of a `struct sock_fprog`, whose `len` is an eighth of the bytes. A call of another architecture (on x86_64: a 32-bit
    one) ends the process. Raises SandboxError for any other machine.
    """
    name = machine or platform.machine()
    if name not in MACHINES:
        raise SandboxError(
            f"There is no list of system calls for the machine `{name}`; there is one for {' and '.join(MACHINES)}.",
            next_step=f"Run on one of those machines ({' or '.join(MACHINES)}, with Linux).",
        )
    architecture, column = MACHINES[name]
    program = [_load(_ARCHITECTURE_OFFSET), _jump(_EQUAL, architecture, 1, 0), _return(_KILL_PROCESS)]
    program += [_load(_NUMBER_OFFSET), *_return_if(_GREATER, [NEWEST], _NO_SUCH_CALL)]
    program += _return_if(_EQUAL, _present(MISSING.values(), column), _NO_SUCH_CALL)
    program += _return_if(_EQUAL, _present(DENIED.values(), column), _NOT_PERMITTED)
    for numbers, rule in BY_ARGUMENT.values():
        for number in _present([numbers], column):
            block = [_load(_ARGUMENTS_OFFSET + 8 * rule.argument)]
            block += [*_return_if(rule.test, rule.values, rule.met), _return(rule.otherwise)]
            program += [_jump(_EQUAL, number, 0, len(block)), *block]
    return b"".join([*program, _return(_ALLOW)])


def _present(calls: Iterable[Numbers], column: int) -> list[int]:
    return [number for numbers in calls if (number := numbers[column]) is not None]


def _return_if(test: int, values: Iterable[int], action: int) -> list[bytes]:
    """Return the instructions that return `action` where one of the tests is met, and else go on behind themselves."""
    values = list(values)
    last = len(values) - 1
    tests = [_jump(test, value, last - place, int(place == last)) for place, value in enumerate(values)]
    return [*tests, _return(action)]


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, 0, 0, offset)


def _jump(test: int, value: int, met: int, otherwise: int) -> bytes:
    """Return a jump over so many of the instructions that follow, 255 at most."""
    return _instruction(test, met, otherwise, value)


def _return(action: int) -> bytes:
    return _instruction(_RETURN, 0, 0, action)


def _instruction(code: int, met: int, otherwise: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, met, otherwise, value)  # struct sock_filter; both machines are little-endian
