# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Upper bounds on how many rows differ, from a sample whose size was fixed before it was drawn."""

import numpy as np
from scipy.stats import beta, hypergeom

from specialists.arrays import Floats, Integers


def bound_total(wrong: Integers, drawn: Integers, rows: Integers, error: float) -> Integers:
    """Return the greatest number of differing rows in a finite population that the sample does not exclude.

    `wrong` of `drawn` rows differ, drawn uniformly without replacement from `rows`; all three broadcast. With
    probability at least 1 - `error` the true total is no greater. Exact: the greatest total whose hypergeometric
    chance of so few or fewer differing rows exceeds `error` (Buonaccorsi 1987). It never exceeds Clopper–Pearson's
    bound times `rows` by more than the rounding to a whole row.
    """
    wrong, drawn, rows = np.broadcast_arrays(wrong, drawn, rows)
    low, high = wrong.astype(np.int64), (rows - drawn + wrong).astype(np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        kept = hypergeom.cdf(wrong, rows, middle, drawn) > error
        low, high = np.where(kept, middle, low), np.where(kept, high, middle - 1)
    return low


def bound_share(wrong: Integers, drawn: Integers, error: float) -> Floats:
    """Return the one-sided upper bound of Clopper and Pearson (1934) on the share of differing rows.

    `wrong` of `drawn` rows differ, drawn independently from a population without end. Arrays broadcast.
    """
    wrong, drawn = np.broadcast_arrays(wrong, drawn)
    bound = beta.ppf(1.0 - error, wrong + 1, np.maximum(drawn - wrong, 1))
    return np.where(wrong >= drawn, 1.0, bound)
