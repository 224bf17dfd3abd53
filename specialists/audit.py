# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The audit under a target: which amounts of widening are shown to meet it, whenever one looks, and what to do next.

The rows that nobody reviewed are put in an order of risk, and the audit draws from them uniformly, both before the
first is drawn. An amount of widening is a number of rows, from the riskiest on, that are reviewed as well. Whatever the
amount, the audited rows among those that it leaves are a uniform sample of these. docs/certificate.md holds the proof
that what is certified here is wrong with a probability of at most `AuditPlan.error`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from records.base import Record
from specialists.arrays import Booleans, Floats, Integers
from specialists.betting import bound_total_below_always
from specialists.planned_tests import PlannedTests, plan_tests, value_stake

LOOK = 25
"""Rows drawn from look to look. Fixed, so that what is certified does not depend on how the draws were batched."""

SAME, DIFFERS, UNANSWERED = 0, 1, 2
"""What an audited row was found to be; an unanswered one counts as different and keeps its label."""

ESTIMATE_ROWS = 100.0
"""How many audited rows the vote's own estimate counts for when the audit forecasts what more of it would bring."""

FUTILE = 0.01
"""The error of the bounds by which an audit gives up. To give up wrongly costs a certificate and makes none wrong."""


class AuditPlan(Record):
    """All that is fixed before the first row is drawn.

    `rows`: the whole file; `unreviewed`: the audit's population; `allowed`: rows that may differ under the target;
    `known`: reviewed rows whose label differs or that have no answer. The grid, narrowest first, entry by entry:
    `amounts` (the first is 0), `unanswered`: rows of the widened part that may stay without an answer, `credit`:
    differing rows that the audit has to correct among those left, `rates`: the share that differs there by the vote's
    own estimate, which decides how long to go on and nothing that is certified. `sizes`: the planned sizes of an
    amount's tests, counted in its own rows; `shares`: their shares of `error`.
    """

    rows: int
    unreviewed: int
    allowed: int
    known: int
    error: float
    amounts: tuple[int, ...]
    unanswered: tuple[int, ...]
    credit: tuple[int, ...]
    rates: tuple[float, ...]
    sizes: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]


class AuditRecord(Record):
    """What was drawn so far. `positions`: each drawn row's place in the order of risk, 0 the riskiest, in the order of
    the draws; `outcomes`: SAME, DIFFERS or UNANSWERED, by the labels at the audit's start. `corrected`: rows that took
    another label than they had, each once: after how many draws, and its position; copies to the byte of a drawn row
    are among them, whether they were drawn or not."""

    positions: tuple[int, ...] = ()
    outcomes: tuple[int, ...] = ()
    corrected: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Looks:
    """The audit at each look, the first before any draw. Arrays (n_looks, n_amounts) are of the rows that an amount
    leaves: how many were drawn, differ, were corrected, and whether the amount may be certified. `unanswered`,
    (n_looks,): drawn rows without an answer."""

    drawn: Integers
    wrong: Integers
    corrected: Integers
    certifiable: Booleans
    unanswered: Integers
    ends: Integers


class Step(Record):
    """What to do next: draw on, widen to the amount of this index and settle it, or stop: nothing more can be had.
    `reviews`: how many further reviews it is expected to take to the end."""

    kind: Literal["draw", "widen", "stop"]
    amount: int | None = None
    reviews: int = 0


def draw_order(unreviewed: int, seed: int) -> Integers:
    """Return the positions (unreviewed,) in the order in which the audit draws them."""
    return np.random.default_rng(seed).permutation(unreviewed).astype(np.int64)


def find_room(plan: AuditPlan) -> Integers:
    """Return how many of the rows that each amount leaves may differ in the end (n_amounts,)."""
    return plan.allowed - plan.known - np.asarray(plan.unanswered, dtype=np.int64)


def make_tests(plan: AuditPlan) -> PlannedTests:
    """Return the tests of "more rows differ than may", two an amount, in the reverse of the order in which they have
    to pass: first without a credit, narrowest amount first, then with it."""
    left = plan.unreviewed - np.asarray(plan.amounts, dtype=np.int64)
    null = find_room(plan) + 1
    sizes = np.asarray(plan.sizes, dtype=np.int64)
    return plan_tests(
        np.tile(left, 2),
        np.concatenate([null, null + np.asarray(plan.credit, dtype=np.int64)]),
        np.tile(sizes, (2, 1)),
        np.asarray(plan.shares),
        plan.error,
    )


def read_looks(plan: AuditPlan, record: AuditRecord, tests: PlannedTests | None = None) -> Looks:
    """Return what the record shows at each of its complete looks. `tests` spares making them again."""
    tests = tests or make_tests(plan)
    amounts, draws = np.asarray(plan.amounts), len(record.positions)
    ends = np.arange(0, draws + 1, LOOK)
    if draws == plan.unreviewed and ends[-1] < draws:
        ends = np.append(ends, draws)
    left = np.asarray(record.positions, dtype=np.int64)[:, None] >= amounts
    differs = np.asarray(record.outcomes, dtype=np.int64)[:, None] != SAME
    drawn, wrong = _count(left), _count(left & differs)
    when, where = np.asarray(record.corrected, dtype=np.int64).reshape(-1, 2).T
    corrected = _count(where[np.argsort(when, kind="stable"), None] >= amounts)[
        np.searchsorted(np.sort(when), ends, side="right")
    ]
    rejected = _find_rejected(tests, np.tile(wrong, 2), np.tile(drawn, 2))
    worth = value_stake(tests, np.tile(wrong[ends], 2), np.tile(drawn[ends], 2), rejected)
    passed = np.maximum.accumulate((worth >= 1.0 / plan.error) | (tests.null > tests.rows))
    plain, credited = np.split(np.logical_and.accumulate(passed[:, ::-1], axis=1)[:, ::-1], 2, axis=1)
    certifiable = plain | credited & (corrected >= plan.credit)
    unanswered = _count(np.asarray(record.outcomes, dtype=np.int64)[:, None] == UNANSWERED)[ends, 0]
    return Looks(drawn[ends], wrong[ends], corrected, certifiable, unanswered, ends)


def _count(marks: Booleans) -> Integers:
    """Return how many of the first 0, 1, … rows are marked (n_rows + 1, n_columns)."""
    return np.concatenate([np.zeros((1, marks.shape[1]), np.int64), np.cumsum(marks, axis=0, dtype=np.int64)])


def _find_rejected(tests: PlannedTests, wrong: Integers, drawn: Integers) -> Booleans:
    """Return which tests have rejected (n_amounts, n_sizes), from the counts after each draw (n_draws + 1, n_amounts);
    False where a test's sample is not complete."""
    rejected = np.zeros(tests.sizes.shape, dtype=np.bool_)
    for i, sizes in enumerate(tests.sizes):
        complete = np.searchsorted(drawn[:, i], sizes)
        reached = complete < len(drawn)
        rejected[i, reached] = wrong[complete[reached], i] <= tests.critical[i, reached]
    return rejected


def choose_step(plan: AuditPlan, looks: Looks, *, look: int = -1, widened: int = 0, most: int | None = None) -> Step:
    """Return the next step: the cheapest amount that is certifiable, unless going on is expected to be cheaper.

    `look`: at which look; `widened`: the index of the amount already reviewed, which is settled no more if it is not
    the first; `most`: how many further reviews the budget pays for. Rows are counted as one review each.
    """
    open_ = np.arange(len(plan.amounts)) >= (widened + 1 if widened else 0)
    drawn = looks.drawn[look]
    amounts = np.asarray(plan.amounts)
    to_widen = amounts - amounts[widened] - (drawn[widened] - drawn)
    limit = np.iinfo(np.int64).max if most is None else most
    now = np.where(looks.certifiable[look] & open_ & (to_widen <= limit), to_widen, np.inf)
    later = np.where(open_ & (to_widen <= limit), _forecast_reviews(plan, looks, look, limit, to_widen), np.inf)
    if np.isfinite(now.min()) and now.min() <= later.min():
        return Step(kind="widen", amount=int(now.argmin()), reviews=int(now.min()))
    if np.isfinite(later.min()):
        return Step(kind="draw", reviews=int(later.min()))
    if limit >= LOOK and drawn[0] < plan.unreviewed and not is_futile(plan, looks, look=look, most=limit):
        return Step(kind="draw")
    return Step(kind="stop")


def _forecast_reviews(plan: AuditPlan, looks: Looks, look: int, limit: int, to_widen: Integers) -> Floats:
    """Return how many reviews each amount (n_amounts,) is expected to take until a planned test of it rejects."""
    left = plan.unreviewed - np.asarray(plan.amounts, dtype=np.float64)
    drawn, wrong = looks.drawn[look], looks.wrong[look]
    share = (wrong + ESTIMATE_ROWS * np.asarray(plan.rates)) / (drawn + ESTIMATE_ROWS)
    total = wrong + (left - drawn) * share
    best = np.full(len(left), np.inf)
    for k, part in enumerate(plan.shares):
        size = np.array([sizes[k] for sizes in plan.sizes], dtype=np.float64)
        rest = np.maximum(1.0 / np.maximum(size, 1.0) - 1.0 / np.maximum(left, 1.0), 0.0)
        margin = -float(ndtri(plan.error * part)) * left * np.sqrt(share * (1.0 - share) * rest)
        for credit in (np.zeros(len(left)), np.asarray(plan.credit, dtype=np.float64)):
            further = np.maximum(size, credit / np.maximum(share, 1e-9)) - drawn + to_widen
            meets = (size > drawn) & (total + margin <= find_room(plan) + credit) & (further <= limit)
            best = np.where(meets, np.minimum(best, further), best)
    return best


def is_futile(plan: AuditPlan, looks: Looks, *, look: int = -1, most: int) -> bool:
    """Return whether a lower confidence sequence puts the target out of reach of the `most` reviews that are left:
    too many rows differ, even if each of these reviews corrected one."""
    at = slice(None, len(looks.ends) if look == -1 else look + 1)
    floor = bound_total_below_always(looks.wrong[at, 0], looks.drawn[at, 0], plan.unreviewed, FUTILE)[-1]
    return bool(floor - looks.corrected[look, 0] - most > plan.allowed - plan.known)


def find_unanswered_floor(plan: AuditPlan, looks: Looks) -> int:
    """Return the lower bound, by a confidence sequence, on how many of the unreviewed rows this reviewer would leave
    without an answer. Widening mends none of these: where the bound and the known ones exceed what the target allows,
    it is not certifiable against this reviewer."""
    return int(bound_total_below_always(looks.unanswered, looks.ends, plan.unreviewed, FUTILE)[-1])
