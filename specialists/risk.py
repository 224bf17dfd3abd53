"""Which rows to look at twice."""

import numpy as np

from specialists.arrays import Booleans, Floats, Integers
from specialists.vote import VoteResult


def estimate_risk(vote: VoteResult) -> Floats:
    """Return the estimated probability (n_rows,) that a row's voted label is wrong: one minus its confidence."""
    return 1.0 - vote.confidence


def choose_riskiest(agreement: Floats, risk: Floats, eligible: Booleans, most: int) -> Integers:
    """Return the rows to review, at most so many: disagreement first, then low confidence.

    All arrays are (n_rows,); `eligible` marks the rows that may be chosen. The result is in the order of their
    need; rows with equal need keep the input's order.
    """
    order = np.lexsort((-risk, agreement >= 1.0))
    return order[eligible[order]][:most].astype(np.int64)


def draw_spot_check(eligible: Booleans, share: float, seed: int) -> Integers:
    """Return a uniform random sample of the eligible rows: `share` of all rows, at least one where there is one."""
    rows = np.flatnonzero(eligible)
    if len(rows) == 0 or share == 0:
        return np.empty(0, dtype=np.int64)
    size = min(len(rows), max(1, round(share * len(eligible))))
    chosen = np.random.default_rng(seed).choice(rows, size=size, replace=False)
    return np.sort(chosen).astype(np.int64)
