"""Whether a model tells every two labels apart: what swapping them would cost on the probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from specialists.arrays import Floats, Integers
from specialists.probe import LEAST_PROBE_ROWS, Estimate, estimate_mean

MARGIN = 0.10
"""The least that every pair of labels must lose by being swapped, from -1 to 1: half the surplus of right over
swapped answers. For two labels it is a balanced accuracy of 55 %; a model that confuses two labels more than that
helps no vote between them."""

SURE = 2.0
"""Standard errors by which a difference must be above zero: one-sided 97.7 %. The map is searched for and tested on
the same rows, so 95 % would be too little."""


@dataclass(frozen=True)
class Pair:
    """What swapping two labels would cost, and how many rows the rarer of the two has."""

    label: str
    other: str
    cost: Estimate
    rows: int

    @property
    def holds(self) -> bool:
        """Whether the labels are surely told apart."""
        return self.cost.value >= MARGIN and self.cost.value > SURE * self.cost.error

    @property
    def is_open(self) -> bool:
        """Whether the rows are too few to say so, or the contrary."""
        return not self.holds and self.rows < LEAST_PROBE_ROWS and self.cost.value + SURE * self.cost.error >= MARGIN


def measure_pairs(
    probs: Floats, truth: Integers, weights: Floats, labels: Sequence[str], tested: Sequence[str]
) -> list[Pair]:
    """Return what swapping two labels costs, for every pair: half the surplus of right over swapped answers on the
    rows of the two."""
    own = probs.argmax(axis=1)

    def measure_surplus(label: str, other: str) -> Estimate:
        rows = truth == labels.index(label)
        right, swapped = own[rows] == labels.index(label), own[rows] == labels.index(other)
        return estimate_mean(right.astype(np.float64) - swapped, weights[rows], low=-1.0)

    pairs: list[Pair] = []
    for label, other in combinations(tested, 2):
        one, two = measure_surplus(label, other), measure_surplus(other, label)
        cost = Estimate((one.value + two.value) / 2, float(np.hypot(one.error, two.error)) / 2)
        fewest = min(int(np.sum(truth == labels.index(name))) for name in (label, other))
        pairs.append(Pair(label, other, cost, fewest))
    return pairs


def judge_pairs(pairs: Sequence[Pair]) -> tuple[bool, str, float]:
    """Return whether the labels are told apart, why, and the margin of the pair that decides."""
    sure = [pair for pair in pairs if pair.holds]
    still_open = [pair for pair in pairs if pair.is_open]
    failed = [pair for pair in pairs if not pair.holds and not pair.is_open]
    good = not failed and len(sure) >= len(still_open)
    worst = min(failed or (sure if good else still_open), key=lambda pair: pair.cost.value)
    words = f"swapping {worst.label} and {worst.other} would cost {worst.cost.value:.2f} ± {worst.cost.error:.2f}"
    if not good:
        return False, f"{words}, too little to be sure of (at least {MARGIN:.2f})", worst.cost.value
    if still_open:
        words += f"; {len(still_open)} of {len(pairs)} pairs have too few rows to be sure of"
    return True, words, worst.cost.value
