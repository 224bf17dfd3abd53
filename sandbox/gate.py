"""Stands before a program in a container: waits for the host, closes the doors behind it, and becomes the program.

    python -I -S -c "<this file>" FILTER SERVE program argument...

FILTER is a seccomp program in hexadecimal, which narrows what the engine's own profile allows. When it is installed,
HELLO goes to standard output; the host answers with a line when it holds the container's `out/` open. All that is
before the program's first instruction. Without SERVE (0) the program's standard input is empty.
"""

import ctypes
import os
import sys

HELLO = b"gate\n"
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2


class SockFprog(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def install_filter(code: bytes) -> None:
    """Install a seccomp program of 8-byte instructions for this process and all its children. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    program = SockFprog(len(code) // 8, code)
    if library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the seccomp filter could not be installed")


def main() -> None:
    """Do what the module says, and become the program."""
    code, serve, program = bytes.fromhex(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:]
    install_filter(code)
    os.write(1, HELLO)
    if os.read(0, 1) != b"\n":
        sys.exit("the host went away before the program started")
    if not serve:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(program[0], program)  # noqa: S606 - a list of words is meant, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
