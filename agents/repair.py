"""What a failed attempt at a script says: its output without noise, its error, and when to stop repairing."""

import re
from collections.abc import Sequence
from typing import Literal

KEPT_OUTPUT = 2000
"""Characters of a test's output that are kept from its start and from its end."""

_NOISE = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"\bin \d+(\.\d+)?s( \(\d+:\d\d:\d\d\))?"), "in … s"),
    (re.compile(r"\b0x[0-9a-fA-F]{4,}"), "0x…"),
    (re.compile(r"(?<![\w.])/(?:[\w.+-]+/)*pytest-of-[\w.+-]+/pytest-\d+/"), "…/"),
    (re.compile(r"(?<![\w.])/(?:[\w.+-]+/)*autoannotator-box-[\w.+-]+/"), "…/"),
    (re.compile(r"(?<![\w.])/(?:var/)?tmp/[\w.+-]+"), "…"),
    (re.compile(r"\b(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?"), "…"),
    (re.compile(r"\b(pid|PID|process)([ =:]+)\d+"), r"\1\2…"),
    (re.compile(r"[^\n]*\r(?!\n)"), ""),
)
"""What differs between two runs of the same test: colours, durations, addresses, temporary paths, times, processes, and
the states of a progress bar that were written over. They would make a new request of an old one."""

_PYTEST_ERROR = re.compile(r"^E {3}(\S.*)$", re.MULTILINE)
_LAST_TRACEBACK_LINE = re.compile(
    r"^((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning|Failed)\b.*)$", re.MULTILINE
)
_MASKS = (
    (re.compile(r"^line \d+: "), ""),
    (re.compile(r"'[^'\n]*'|\"[^\"\n]*\""), "'…'"),
    (re.compile(r"(?:[\w.~-]*/)+[\w.-]*"), "…"),
    (re.compile(r"\d+(\.\d+)?"), "0"),
)

Next = Literal["repair", "fall back", "drop"]


def clean_output(output: str) -> str:
    """Return what a test printed, without what differs from run to run."""
    for pattern, replacement in _NOISE:
        output = pattern.sub(replacement, output)
    return output


def cut_output(output: str) -> str:
    """Return the first and the last KEPT_OUTPUT characters of what a program printed."""
    if len(output) <= 2 * KEPT_OUTPUT:
        return output
    return f"{output[:KEPT_OUTPUT]}\n[…]\n{output[-KEPT_OUTPUT:]}"


def find_errors(output: str) -> tuple[str, ...]:
    """Return the errors that a test's output tells of: pytest's, else a traceback's last line, else its first line."""
    if errors := _PYTEST_ERROR.findall(output):
        return tuple(dict.fromkeys(errors))
    if lines := _LAST_TRACEBACK_LINE.findall(output):
        return (lines[-1],)
    return tuple(line for line in output.splitlines() if line.strip())[:1]


def sign_failure(errors: Sequence[str], reasons: Sequence[str]) -> tuple[str, ...]:
    """Return the signature of a failure: the same where the same went wrong in another line, with other values.

    `errors` are those of its test, none where it passed, and `reasons` the critic's.
    """
    return tuple(dict.fromkeys(map(_mask, (*errors, *reasons))))


def _mask(text: str) -> str:
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def choose_next(signatures: Sequence[tuple[str, ...]], attempts: int, *, fallback: bool) -> Next:
    """Return what follows the last of some failures: at most `attempts` scripts are written, and an error that comes
    a second time is not mended a third time. `fallback`: the last script was the unmodified template."""
    if fallback:
        return "drop"
    again = bool(signatures) and signatures[-1] in signatures[:-1]
    return "fall back" if again or len(signatures) >= attempts else "repair"
