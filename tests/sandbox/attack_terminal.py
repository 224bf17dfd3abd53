"""Runs a program with a terminal of its own, and says what was typed there: `attack_terminal.py PLACE SCRIPT WORD`.

A process of its own, since a process has one terminal. PLACE is a sandbox's name, or `none`. Prints what stands in the
terminal's input when the attack has ended.
"""

# ruff: noqa: T201
import fcntl
import os
import select
import subprocess
import sys
import termios
from pathlib import Path

from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox


def open_terminal() -> int:
    """Make a terminal that controls this process, and return the end that programs see."""
    os.setsid()
    _, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for stream in (0, 2):
        os.dup2(terminal, stream)
    return terminal


def attack(place: str, script: Path, word: str) -> None:
    if place == "none":
        subprocess.run([sys.executable, script, word], stdout=subprocess.DEVNULL, check=False)
        return
    spec = RunSpec(("python", "in/attack.py", word), inputs={"attack.py": script}, limits=Limits(seconds=20))
    result = choose_sandbox(place).run(spec)
    if "trying" not in result.stdout:
        print(f"not run: {result}")


def main(place: str, script: str, word: str) -> None:
    terminal = open_terminal()
    attack(place, Path(script), word)
    if select.select([terminal], [], [], 0.3)[0]:
        print(os.read(terminal, 1024).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
