"""What a benchmark measured: figures with their intervals, and the machine that they hold for."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from records.base import Record
from records.errors import PersonError
from records.folder import write_json

PACKAGES = ("torch", "transformers", "tokenizers")


class Measure(Record):
    """One figure. `ok` is false only where the whole interval misses the target, None where there is no target.

    A target is a least value or, as the measure's unit says (time, cost, requests), a greatest. Without a value it
    could not be measured; the result's `method` says why.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    target: float | None
    ok: bool | None
    unit: str


class BenchResult(Record):
    """What a benchmark prints with `--json`. `data` says what it was measured on, `method` how."""

    bench: str
    machine: dict[str, str | int | float]
    data: str
    method: str
    measures: tuple[Measure, ...]


def summarise(
    name: str, samples: Sequence[float], unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Measure:
    """Return the median of the repetitions with their least and greatest as its interval; give one target at most."""
    low, high = min(samples), max(samples)
    target = at_least if at_most is None else at_most
    ok = None
    if target is not None:
        ok = high >= target if at_most is None else low <= target
    return Measure(name=name, value=statistics.median(samples), interval=(low, high), target=target, ok=ok, unit=unit)


def make_folder(folder: Path | None) -> None:
    """Make the folder for raw measurements, before hours are spent on them. Raises PersonError where it cannot be."""
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PersonError(f"--out {folder} cannot be made: {error}", next_step="Name another folder.") from error


def write_raw(folder: Path | None, result: BenchResult, repetitions: Sequence[Record]) -> None:
    """Write what was measured, repetition by repetition, into a folder, where there is one."""
    if folder:
        raw = {"result": result.model_dump(mode="json"), "repetitions": [one.model_dump() for one in repetitions]}
        write_json(folder / f"{result.bench}.json", raw)


def describe_machine() -> dict[str, str | int | float]:
    """Return the processor, how many of its cores this process may use, their load now, and the libraries' versions."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "processor": _name_processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_at_start": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions,
    }


def tabulate_result(result: BenchResult) -> Table:
    """Return the table that a person is shown."""
    machine = result.machine
    place = f"{machine['processor']}, {machine['cores']} cores, load {machine['load_at_start']:.1f} at the start"
    caption = f"{result.method}\nData: {result.data}\nMachine: {place}"
    table = Table("measure", "value", "interval", "unit", "target", title=result.bench, box=None, caption=Text(caption))
    for one in result.measures:
        value = "–" if one.value is None else f"{one.value:.4g}"
        interval = " – ".join(f"{end:.4g}" for end in one.interval or ())
        table.add_row(one.name, value, interval, one.unit, _show_target(one))
    return table


def _show_target(measure: Measure) -> str:
    if measure.target is None:
        return ""
    verdict = "not measured" if measure.ok is None else "met" if measure.ok else "missed"
    return f"{measure.target:g}, {verdict}"


def _name_processor() -> str:
    """Return the processor's name as Linux gives it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
