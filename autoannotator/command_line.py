"""`autoannotator`: parses, runs one command, and turns every error into a message and an exit status."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from autoannotator.parser import parse
from autoannotator.terminal import strip_controls
from records.errors import AutoAnnotatorError

if TYPE_CHECKING:
    from autoannotator.commands import Outcome

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (see the design, "Command line")."""
    os.environ.setdefault("LANGSMITH_TRACING", "false")
    before = signal.signal(signal.SIGINT, _stop_at_once)
    try:
        return answer(sys.argv[1:] if arguments is None else arguments, _run)
    finally:
        signal.signal(signal.SIGINT, before)


def answer(arguments: Sequence[str], run: Callable[[Sequence[str]], "Outcome"]) -> int:
    """Print what `run` makes of the arguments, or why it failed, and return the exit status.

    Every command of the project answers so, with `--json` and, for tracebacks, `--debug`.
    """
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        outcome = run(arguments)
    except AutoAnnotatorError as error:
        if debug:
            traceback.print_exc()
        return _fail(str(error), error.exit_status, as_json)
    except Exception as error:  # noqa: BLE001 (the outermost boundary)
        if debug:
            traceback.print_exc()
        bug = f"A bug: {type(error).__name__}: {error}\nRun again with --debug for the traceback, and report it."
        return _fail(bug, 1, as_json)
    if as_json:
        _print_json(outcome.plain)
    else:
        console = Console()
        for part in outcome.shown:
            console.print(part, soft_wrap=True)
    return outcome.exit_status


def _run(arguments: Sequence[str]) -> "Outcome":
    options = parse(arguments)
    return resolve_name(f"autoannotator.{options.command}")(options)


def _stop_at_once(signal_number: int, frame: FrameType | None) -> None:
    """Leave without waiting for scripts that run: they end with this process, and a run can go on from any instant."""
    console = Console(stderr=True)
    console.show_cursor()
    message = "\nInterrupted. A run that was under way goes on with: autoannotator resume RUN"
    console.print(message, style="red", soft_wrap=True)
    os._exit(INTERRUPTED)


def _fail(message: str, exit_status: int, as_json: bool) -> int:
    Console(stderr=True).print(Text(strip_controls(f"error: {message}"), style="red"), soft_wrap=True)
    if as_json:
        _print_json({"error": message, "exit_status": exit_status})
    return exit_status


def _print_json(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
