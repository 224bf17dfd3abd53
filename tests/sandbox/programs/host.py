"""A host for the tests that kill one, or look at what one leaves: `host.py SANDBOX open|RUNS PROGRAM MARK`."""

# ruff: noqa: T201
import signal
import sys
import time
from pathlib import Path

from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox

CODE = "import sys, time; time.sleep(60 * (sys.argv[1] == '0')); sys.exit(int(sys.argv[1]) % 2)"


def hold_open(sandbox, program, mark):
    with sandbox.open(RunSpec(argv=("python", "in/program.py", mark), inputs={"program.py": Path(program)})):
        print("open", flush=True)
        time.sleep(600)


def run(sandbox, times, mark):
    """Every tenth run is stopped for its time, every second fails."""
    for number in range(times):
        limits = Limits(seconds=0.4 if number % 10 == 0 else 60)
        spec = RunSpec(argv=("python", "-c", CODE, str(number % 10), mark), limits=limits)
        print(sandbox.run(spec).cause)


def main(name, action, program, mark):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    sandbox = choose_sandbox(name)
    if action == "open":
        hold_open(sandbox, program, mark)
    else:
        run(sandbox, int(action), mark)


main(*sys.argv[1:])
