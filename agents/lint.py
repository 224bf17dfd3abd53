"""Ruff's word on a script: bugs that speak against it, and remarks that only a critic is shown."""

import json
import subprocess

import ruff

from records.base import Record

FAULTS = ("E9", "F", "PLE", "B006", "B012", "B018", "B020", "B023")
"""Rules of what makes a script wrong: no Python, unknown names, errors of the kind that only running it would show."""
REMARKS = ("F401", "F541", "F811", "F841")
"""Rules within these that are no bugs: something imported or assigned that is not used."""
SECONDS = 30


class Finding(Record):
    """One finding, by its line in the script from 1. `fault`: whether the script may not be used for it."""

    line: int
    code: str
    message: str
    fault: bool

    def __str__(self) -> str:
        return f"line {self.line}: {self.code} {self.message}"


def lint_script(script: str) -> tuple[Finding, ...]:
    """Return what ruff finds in a script, by line. Nothing in the script or around it changes the rules."""
    options = ("check", "--isolated", "--no-cache", "--ignore-noqa", "--quiet", "--target-version", "py311")
    rules = ("--select", ",".join(FAULTS), "--output-format", "json", "--stdin-filename", "annotate.py", "-")
    done = subprocess.run(
        [ruff.find_ruff_bin(), *options, *rules],
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    found = [
        Finding(
            line=one["location"]["row"],
            code=one["code"] or "E999",
            message=one["message"],
            fault=one["code"] not in REMARKS,
        )
        for one in json.loads(done.stdout)
    ]
    return tuple(sorted(found, key=lambda one: (one.line, one.code)))
