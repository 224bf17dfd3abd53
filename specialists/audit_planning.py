# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Before the audit: how many rows it will probably take for a target, and the plan that it then holds to."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from specialists.arrays import Floats, Integers
from specialists.audit import LOOK, AuditPlan
from specialists.review_value import count_until

SIZES = (0.6, 1.0, 1.5)
"""The tests' sizes, in the size that is planned: one for a vote that is better than it thinks, one for one that is
worse."""

SHARES = (0.1, 0.8, 0.1)
"""How the error is laid out on them; compared with others in docs/certificate.md."""

POWER = 0.95
"""The chance of being certified that an audit is planned for, if the vote's estimates are right."""

CREDIT = 0.85
"""The part of the corrections to be expected of the audit that the tests count on; the rest is for bad luck."""

START = 0.9
"""The part of the riskiest rows that are estimated to be needed which is reviewed before the audit: what the estimates
overstate is saved, and what they understate is widened."""

FINE_STEPS, COARSE_STEPS = 60, 15
"""Amounts in the grid: the first are over the next 40 % of the rows, where the choice will fall, the others over the
rest. A finer grid costs computing time, not error."""

FINE_PART = 0.4


@dataclass(frozen=True)
class AuditForecast:
    """What a target will probably take, in rows: `start` of the riskiest reviewed before the audit, `draws` audited,
    `widening` reviewed after it, `reviews` all of them, a row counted once. Enough in five runs of six
    where the risks are calibrated."""

    start: int
    draws: int
    widening: int
    reviews: int


@dataclass(frozen=True)
class _Grid:
    """Each amount (n_amounts,): the rows it leaves, how many of these may differ, and how many do by the risks."""

    amounts: Integers
    unanswered: Integers
    left: Floats
    room: Floats
    differing: Floats


def plan_audit(
    risk: Floats, *, rows: int, allowed: int, known: int, error: float, unanswered_rate: float = 0.0
) -> AuditPlan:
    """Return the plan of an audit of the rows that nobody reviewed.

    `risk` (n_unreviewed,): the estimated probability that a row's label differs from the expert's, riskiest first.
    `rows`, `allowed`, `known`: see AuditPlan. `unanswered_rate`: the share of reviews so far without an answer. Whether
    the estimates are right decides what the audit costs, and nothing of its guarantee. Raises ValueError where `known`
    exceeds `allowed`, since no audit helps then.
    """
    if known > allowed:
        raise ValueError(f"{known} reviewed rows differ or have no answer, and the target allows {allowed}")
    grid = _make_grid(risk, allowed - known, unanswered_rate)
    size, _ = _choose_size(grid, error)
    part = grid.left / max(len(risk), 1)
    rate = grid.differing / np.maximum(grid.left, 1.0)
    counted = np.floor(CREDIT * size * part * rate)
    credit = np.where(grid.left <= grid.room, 0.0, counted)
    return AuditPlan(
        rows=rows,
        unreviewed=len(risk),
        allowed=allowed,
        known=known,
        error=error,
        amounts=tuple(grid.amounts.tolist()),
        unanswered=tuple(grid.unanswered.tolist()),
        credit=tuple(credit.astype(int).tolist()),
        rates=tuple(rate.tolist()),
        sizes=tuple(tuple(one) for one in _place_sizes(size, part, grid.left).tolist()),
        shares=SHARES,
    )


def forecast_audit(risk: Floats, *, allowed: int, known: int, error: float) -> AuditForecast | None:
    """Return what certifying will probably take when the rows `risk` (n_unreviewed,), riskiest first, are still to be
    reviewed; None where it cannot be certified by reviewing all of them."""
    if known > allowed:
        return None
    start = choose_start(risk, allowed - known)
    grid = _make_grid(risk[start:], allowed - known, 0.0)
    draws, i = _choose_size(grid, error)
    widening = int(grid.amounts[i])
    below = round(draws * float(grid.left[i]) / max(len(risk) - start, 1))
    return AuditForecast(start, draws, widening, start + widening + below)


def choose_start(risk: Floats, room: int, reviewed: int = 0) -> int:
    """Return how many of the riskiest rows to review before the audit, by the risks (n_rows,), riskiest first, where
    `room` of the others may differ. `reviewed`: how many rows were reviewed for it so far, where it is asked again with
    better estimates: they are a part of START."""
    return max(int(START * (reviewed + count_until(risk, float(risk.sum()), room))) - reviewed, 0)


def _make_grid(risk: Floats, room: int, unanswered_rate: float) -> _Grid:
    """Return the grid, without the amounts whose unanswered rows alone might exceed the room."""
    n = len(risk)
    fine = np.linspace(0.0, FINE_PART * n, FINE_STEPS)
    amounts = np.unique(np.concatenate([fine, np.linspace(FINE_PART * n, n, COARSE_STEPS)]).astype(np.int64))
    expected = unanswered_rate * amounts
    unanswered = np.ceil(expected + 2.0 * np.sqrt(expected)).astype(np.int64)
    kept = unanswered <= room
    amounts, unanswered = amounts[kept], unanswered[kept]
    differing = risk.sum() - np.concatenate([[0.0], np.cumsum(risk)])[amounts]
    left = (n - amounts).astype(np.float64)
    return _Grid(amounts, unanswered, left, (room - unanswered).astype(np.float64), np.clip(differing, 0.0, left))


def _choose_size(grid: _Grid, error: float) -> tuple[int, int]:
    """Return the size of the audit and the index of the amount that take the fewest reviews together, by the normal
    approximation to the fixed-size test at the middle size's share of the error and POWER. Where nothing but reviewing
    all will do, the size is a look."""
    n = int(grid.left[0])
    sizes = np.unique(np.ceil(np.geomspace(LOOK, max(n, LOOK), 200) / LOOK).astype(np.int64) * LOOK)[:, None]
    part = grid.left / max(n, 1)
    drawn = np.minimum(sizes * part, grid.left)
    rate = grid.differing / np.maximum(grid.left, 1.0)
    rest = 1.0 / np.maximum(drawn, 1.0) - 1.0 / np.maximum(grid.left, 1.0)
    spread = grid.left * np.sqrt(rate * (1.0 - rate) * np.maximum(rest, 0.0))
    quantile = float(ndtri(POWER) - ndtri(error * max(SHARES)))
    meets = grid.differing + quantile * spread <= grid.room + CREDIT * drawn * rate
    cost = np.where(meets & (sizes <= n), grid.amounts + drawn, np.inf)
    best, i = np.unravel_index(int(cost.argmin()), cost.shape)
    return min(int(sizes[best, 0]), n), int(i) if math.isfinite(cost[best, i]) else len(grid.amounts) - 1


def _place_sizes(size: int, part: Floats, left: Floats) -> Integers:
    """Return each amount's planned sizes (n_amounts, n_sizes), in its own rows: what it will have been drawn of by then
    less a standard deviation, so that the wider amounts' tests are mostly complete when they are needed."""
    expected = np.outer(part, np.array(SIZES) * size)
    spread = np.sqrt(np.maximum(expected * (1.0 - part[:, None]), 0.0))
    return np.clip(np.ceil(expected - spread), np.minimum(left[:, None], 1.0), left[:, None]).astype(np.int64)
