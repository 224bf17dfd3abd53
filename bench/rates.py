"""Simulated runs, and the rates and means over them."""

from collections.abc import Sequence

from scipy.stats import binomtest

from bench.measuring import Measure
from records.base import Record
from specialists.arrays import Floats


class SimulatedRun(Record):
    """One run. `violated`: something that it stated is not true; `differing`: rows that differ in the end, or at the
    start of an audit that changes nothing; `reviews` and `fewest`, where they are counted: the run's, and those after
    which its own labels truly meet the target."""

    scenario: str
    verdict: str
    violated: bool
    differing: int = -1
    reviews: int = -1
    fewest: int = -1


def estimate_rate(hits: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """Return the share of hits and its 95 % interval (Clopper and Pearson 1934)."""
    interval = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="exact")
    return sum(hits) / len(hits), (float(interval.low), float(interval.high))


def estimate_mean(name: str, values: Floats, unit: str) -> Measure:
    """Return the mean with its 95 % interval by the normal approximation."""
    mean, half = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5
    return Measure(name=name, value=mean, interval=(mean - half, mean + half), target=None, ok=None, unit=unit)


def summarise_violations(name: str, runs: Sequence[SimulatedRun], most: float, *, few: bool) -> Measure:
    """Return the rate of violations, missed where the whole interval lies above `most`; with few runs nothing else can
    be said."""
    rate, interval = estimate_rate([one.violated for one in runs])
    ok = False if interval[0] > most else None if few else True
    return Measure(name=name, value=rate, interval=interval, target=most, ok=ok, unit="share at most")
