"""Control groups: the kernel's limits on what a program and all its children use together.

Version 2 where this process may make groups there, else version 1, else none: then `find_controllers` is empty and
the caller says what is not held.
"""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sandbox.base import Limits

PREFIX = "autoannotator-"
CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD = 100_000
"""Microseconds in which the processor's time is dealt out."""
_YOUNG_SECONDS = 60.0
"""A group without a process may be about to get its first."""


@dataclass(frozen=True)
class Controller:
    """Where this process can make groups of one controller (memory, pids, cpu), of version 1 or 2."""

    name: str
    version: int
    parent: Path


def find_controllers() -> tuple[Controller, ...]:
    """Return the controllers that this process can hold a program with; a child is moved there and back to try."""
    hierarchies = _read_hierarchies()
    unified = next((one for one in hierarchies.get("", ()) if _list_enabled(one) and _can_hold(one)), None)
    enabled = _list_enabled(unified) if unified else frozenset[str]()
    found: list[Controller] = []
    for name in CONTROLLERS:
        if unified and name in enabled:
            found.append(Controller(name, 2, unified))
        else:
            found += [Controller(name, 1, parent) for parent in hierarchies.get(name, ()) if _can_hold(parent)]
    return tuple(found)


def remove_left_groups(controllers: tuple[Controller, ...], names: Collection[str]) -> None:
    """Remove the groups that killed hosts have left: those named, and any that has been there for a minute.

    One with a process in it cannot be removed, and stays.
    """
    for parent in {controller.parent for controller in controllers}:
        for group in parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if group.name in names or time.time() - group.stat().st_mtime > _YOUNG_SECONDS:
                    group.rmdir()


class ControlGroups:
    """One program's groups, named `name` (which begins with PREFIX), with its limits set. Raises OSError.

    A process joins by writing its id to each of `doors`.
    """

    def __init__(self, controllers: tuple[Controller, ...], name: str, limits: Limits) -> None:
        self._groups = {one: one.parent / name for one in controllers}
        try:
            for controller, group in self._groups.items():
                group.mkdir(exist_ok=True)
                for file, value in _limit_values(controller, group, limits).items():
                    (group / file).write_text(str(value))
        except OSError:
            self.remove()
            raise

    def hold(self, controller: str) -> bool:
        """Whether the kernel holds this limit: memory, pids or cpu."""
        return any(one.name == controller for one in self._groups)

    @property
    def doors(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(group / "cgroup.procs" for group in self._groups.values()))

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of the group for its memory."""
        for controller, group in self._groups.items():
            if controller.name == "memory":
                file = "memory.events" if controller.version == 2 else "memory.oom_control"
                counts = dict(line.split() for line in (group / file).read_text().splitlines())
                return int(counts.get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Remove the groups, once no process is left in them."""
        for group in set(self._groups.values()):
            with contextlib.suppress(OSError):  # what is still ending goes at the next start
                group.rmdir()


def _limit_values(controller: Controller, group: Path, limits: Limits) -> dict[str, int | str]:
    """Return file → value, in the order in which they are to be written."""
    quota = limits.threads * _PERIOD
    match controller.name, controller.version:
        case "memory", 2:
            values = {"memory.max": limits.memory, "memory.swap.max": 0, "memory.oom.group": 1}
            return {file: value for file, value in values.items() if (group / file).exists()}  # swap: where accounted
        case "memory", _:
            both = "memory.memsw.limit_in_bytes"  # memory and swap together; absent where swap is not accounted
            values = {"memory.limit_in_bytes": limits.memory, both: limits.memory}
            return {file: value for file, value in values.items() if (group / file).exists()}
        case "pids", _:
            return {"pids.max": limits.processes}
        case _, 2:
            return {"cpu.max": f"{quota} {_PERIOD}"}
        case _:
            return {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": quota}


def _read_hierarchies() -> dict[str, list[Path]]:
    """Return controller ("" for version 2) → the folders in which groups may perhaps be made, the nearest first."""
    mounts: dict[str, Path] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        names = {"cgroup2": [""], "cgroup": [name for name in CONTROLLERS if name in options.split(",")]}
        mounts.update((name, Path(place)) for name in names.get(kind, []))
    found: dict[str, list[Path]] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, own = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                here = mounts[name] / own.strip("/")
                above = [here, *here.parents] if name == "" else [here]  # a v2 group with processes has no children
                found[name] = [folder for folder in above if folder.is_relative_to(mounts[name]) and folder.is_dir()]
    return found


def _list_enabled(parent: Path) -> frozenset[str]:
    """Return which of the controllers the children of a version 2 group have."""
    return frozenset((parent / "cgroup.subtree_control").read_text().split()).intersection(CONTROLLERS)


def _can_hold(parent: Path) -> bool:
    """Make a group, move a process into it, and remove both."""
    group = parent / f"{PREFIX}trial-{secrets.token_hex(8)}"
    waiting = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    try:
        group.mkdir()
        try:
            with subprocess.Popen(waiting, stdin=subprocess.PIPE) as process:
                (group / "cgroup.procs").write_text(str(process.pid))
        finally:
            group.rmdir()
    except OSError:
        return False
    return True
