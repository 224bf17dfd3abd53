# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Bounds on how many rows differ that hold at every look at a growing sample: a confidence sequence by betting.

Rows are drawn one by one, uniformly, without replacement. Against every total d that the population could hold, a
gambler with a stake of 1 bets on what the next row will be, at the odds that d makes fair. If d is true the stake is a
nonnegative martingale, and reaches 1/error with a probability of at most `error`, ever (Ville 1939). The totals against
which it never did are the confidence sequence (Waudby-Smith and Ramdas 2020 and 2024, sections on sampling without
replacement). The gambler here expects a beta distribution of shares, so the stake has a closed form and depends on two
counts: (chance of the rows under the beta-binomial mixture) / (chance under d).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln

from specialists.arrays import Booleans, Floats, Integers


@dataclass(frozen=True)
class Prior:
    """What the gambler expects of the share of differing rows: a beta distribution. Any is valid, if chosen before the
    first row is drawn; one near the truth gives a tighter bound."""

    differing: float
    same: float


SMALL_SHARES = Prior(0.5, 4.5)
"""Expects about 10 % and rules nothing out: for where nothing is known beforehand."""

PRIOR_ROWS = 10.0
"""How many rows the vote's own estimate counts for: of the weights compared in docs/certificate.md the largest that
loses little where the estimate is off by a factor of two."""


def expect_share(share: float) -> Prior:
    """Return the prior around an estimated share of differing rows, in [0, 1]; no share is ruled out."""
    share = min(max(share, 0.005), 0.995)
    return Prior(PRIOR_ROWS * share, PRIOR_ROWS * (1.0 - share))


def find_log_stake(wrong: Integers, drawn: Integers, total: Integers, rows: Integers, prior: Prior) -> Floats:
    """Return the logarithm of the stake against `total` differing rows of `rows`, after `wrong` of `drawn` differed.

    Arrays broadcast. Infinite where such a sample is impossible under `total`.
    """
    others, right = rows - total, drawn - wrong
    possible = (total >= wrong) & (others >= right)
    chance = (
        gammaln(total + 1.0)
        - gammaln(np.maximum(total - wrong, 0) + 1.0)
        + gammaln(others + 1.0)
        - gammaln(np.maximum(others - right, 0) + 1.0)
        - gammaln(rows + 1.0)
        + gammaln(rows - drawn + 1.0)
    )
    expected = betaln(prior.differing + wrong, prior.same + right) - betaln(prior.differing, prior.same)
    return np.where(possible, expected - chance, np.inf)


def bound_total_always(
    wrong: Integers, drawn: Integers, rows: int, error: float, prior: Prior = SMALL_SHARES
) -> Integers:
    """Return the upper bound on the total of differing rows after each look (n_looks,).

    `wrong` and `drawn` (n_looks,) count up from look to look. With a probability of at least 1 - `error` the true total
    exceeds the bound at no look; so the smallest bound so far is what is returned.
    """
    likeliest = _find_likeliest(wrong, drawn, rows)

    def is_kept(distance: Integers) -> Booleans:
        return find_log_stake(wrong, drawn, likeliest + distance, np.asarray(rows), prior) < -np.log(error)

    return np.minimum.accumulate(likeliest + _find_last(is_kept, rows - drawn + wrong - likeliest))


def bound_total_below_always(
    wrong: Integers, drawn: Integers, rows: int, error: float, prior: Prior = SMALL_SHARES
) -> Integers:
    """Return the lower bound on the total of differing rows after each look (n_looks,); see `bound_total_always`.

    One stake serves both bounds, so that both together are wrong with a probability of at most `error`.
    """
    likeliest = _find_likeliest(wrong, drawn, rows)

    def is_kept(distance: Integers) -> Booleans:
        return find_log_stake(wrong, drawn, likeliest - distance, np.asarray(rows), prior) < -np.log(error)

    return np.maximum.accumulate(likeliest - _find_last(is_kept, likeliest - wrong))


def _find_likeliest(wrong: Integers, drawn: Integers, rows: int) -> Integers:
    """Return the total under which the sample is likeliest (n_looks,). The stake against it never exceeds 1: the
    mixture's chance is a mean of the totals' chances."""
    return np.clip(wrong * (rows + 1) // np.maximum(drawn, 1), wrong, rows - drawn + wrong).astype(np.int64)


def _find_last(is_kept: Callable[[Integers], Booleans], room: Integers) -> Integers:
    """Return the greatest distance from the likeliest total (n_looks,), of at most `room`, that is kept, by bisection:
    the chance of a sample is log-concave in the total, so the stake grows on the way out."""
    low, high = np.zeros_like(room), room.astype(np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        kept = is_kept(middle)
        low, high = np.where(kept, middle, low), np.where(kept, high, middle - 1)
    return low
