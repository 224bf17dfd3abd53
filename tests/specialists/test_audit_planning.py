"""What an audit is forecast to take."""

import numpy as np
import pytest

from specialists.audit import LOOK
from specialists.audit_planning import choose_start, forecast_audit, plan_audit

RISK = np.linspace(0.6, 0.0, 5000)


def test_a_stricter_target_takes_more_reviews() -> None:
    forecasts = [forecast_audit(RISK, allowed=allowed, known=0, error=0.05) for allowed in (2000, 1000, 500, 250)]
    reviews = [one.reviews for one in forecasts if one]
    assert len(reviews) == 4
    assert reviews == sorted(reviews)
    assert forecasts[0] is not None
    assert forecasts[0].start == forecasts[0].widening == 0, "the vote meets it as it is"


def test_the_forecast_counts_each_row_once() -> None:
    forecast = forecast_audit(RISK, allowed=500, known=0, error=0.05)
    assert forecast is not None
    assert forecast.start + forecast.widening < forecast.reviews
    assert forecast.reviews < forecast.start + forecast.widening + forecast.draws
    assert forecast.draws % LOOK == 0


def test_known_differences_may_put_the_target_out_of_reach() -> None:
    assert forecast_audit(RISK, allowed=10, known=11, error=0.05) is None
    with pytest.raises(ValueError, match="11 reviewed rows"):
        plan_audit(RISK, rows=6000, allowed=10, known=11, error=0.05)


def test_the_start_leaves_a_little_more_than_may_differ() -> None:
    start = choose_start(RISK, 500)
    assert 500 < RISK[start:].sum() < 750
    assert choose_start(RISK, 5000) == 0
    rounds = 0
    while size := min(choose_start(RISK[rounds:], 500, rounds), 70):
        rounds += size
    assert rounds == start, "asked for in rounds it is no more"


def test_the_plan_holds_together() -> None:
    plan = plan_audit(RISK[1000:], rows=5000, allowed=500, known=20, error=0.04, unanswered_rate=0.01)
    n = len(plan.amounts)
    assert plan.amounts[0] == 0
    assert list(plan.amounts) == sorted(set(plan.amounts))
    assert n == len(plan.unanswered) == len(plan.credit) == len(plan.rates) == len(plan.sizes)
    assert sum(plan.shares) == pytest.approx(1)
    for amount, sizes in zip(plan.amounts, plan.sizes, strict=True):
        assert list(sizes) == sorted(sizes)
        assert sizes[-1] <= plan.unreviewed - amount


def test_a_million_rows_are_planned() -> None:
    risk = np.linspace(0.5, 0.0, 1_000_000)
    forecast = forecast_audit(risk, allowed=100_000, known=0, error=0.04)
    assert forecast is not None
    needed = int(np.argmax(risk.sum() - np.cumsum(risk) <= 100_000))
    assert needed < forecast.reviews < 1.1 * needed


def test_a_vote_that_never_errs_needs_an_audit_still() -> None:
    plan = plan_audit(np.zeros(1000), rows=1000, allowed=50, known=0, error=0.05)
    assert plan.sizes[0][-1] > 0
    assert set(plan.credit) == {0}
