# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""One test of whether too many rows differ, for a sample that is looked at as it grows.

The stake of 1 is laid out at the start on exact hypergeometric tests at a few planned sizes. The share laid on the test
at size n pays share / (its exact error) if that test rejects, and is worth at any moment before that what it would
fetch: the payment times the chance, under the null hypothesis, that the test will reject, given the rows so far. Such
a price is a martingale, and the sum of prices is a bet like any other: it reaches 1/error with a probability of at most
`error`, ever (Ville 1939). At a planned size it does so where the fixed-size test at that share of the error rejects,
and earlier where rejection is as good as certain. That every fixed-size test induces a test for every look
is from Koning and van Meer (2025, arXiv 2501.03982); the portfolio of them is error spending over the sizes with what
Bonferroni's inequality wastes put to use.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from specialists.arrays import Booleans, Floats, Integers


@dataclass(frozen=True)
class PlannedTests:
    """Tests of "at least `null` of `rows` rows differ", one for each amount of widening (n_amounts,).

    `sizes`, `critical` (n_amounts, n_sizes): the test at a size rejects where at most `critical` rows of the sample
    differ, -1 where it cannot. `payments` (n_amounts, n_sizes): what it pays if it rejects, for a total stake of 1.
    """

    rows: Integers
    null: Integers
    sizes: Integers
    critical: Integers
    payments: Floats


def plan_tests(rows: Integers, null: Integers, sizes: Integers, shares: Floats, error: float) -> PlannedTests:
    """Return the tests, their critical counts the largest whose chance under `null` is at most `error` times the share.

    `rows`, `null` (n_amounts,); `sizes` (n_amounts, n_sizes), each at most its rows; `shares` (n_sizes,) add up to 1.
    A null of more rows than there are is false and needs no test: its critical counts are -1.
    """
    testable = np.broadcast_to((null <= rows)[:, None], sizes.shape)
    total, count = np.where(testable, rows[:, None], 1), np.where(testable, sizes, 1)
    hypothesis = np.where(testable, null[:, None], 1)
    low, high = np.full(sizes.shape, -1), count
    while (low < high).any():
        middle = (low + high + 1) // 2
        rejects = hypergeom.cdf(middle, total, hypothesis, count) <= error * shares
        low, high = np.where(rejects, middle, low), np.where(rejects, high, middle - 1)
    chance = hypergeom.cdf(low, total, hypothesis, count)
    critical = np.where(testable & (chance > 0.0), low, -1)
    payments = np.divide(np.broadcast_to(shares, chance.shape), chance, out=np.zeros(chance.shape), where=critical >= 0)
    return PlannedTests(rows, null, sizes, critical, payments)


def value_stake(tests: PlannedTests, wrong: Integers, drawn: Integers, rejected: Booleans) -> Floats:
    """Return the worth of the stake against each null at each look (n_looks, n_amounts); infinite where the rows drawn
    are impossible under it.

    `wrong`, `drawn` (n_looks, n_amounts): how many of an amount's rows were drawn and how many of these differ.
    `rejected` (n_amounts, n_sizes): whether the test at a size has rejected; read only where its sample is complete.
    """
    worth = np.zeros(wrong.shape)
    remaining = np.clip(tests.null - wrong, 0, tests.rows - drawn)
    for k in range(tests.sizes.shape[1]):
        to_draw = np.clip(tests.sizes[:, k] - drawn, 0, None)
        chance = hypergeom.cdf(tests.critical[:, k] - wrong, tests.rows - drawn, remaining, to_draw)
        worth += tests.payments[:, k] * np.where(to_draw == 0, rejected[:, k], chance)
    return np.where(drawn - wrong > tests.rows - tests.null, np.inf, worth)
