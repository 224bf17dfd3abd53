"""The forecast's arithmetic: its parts are those of the machine, and its ranges hold the truth as often as they say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from records.outcome import Span
from specialists.audit_planning import choose_start, forecast_audit
from specialists.certificate import size_sample
from specialists.forecast import LEVEL, AuditTerms, PilotRows, ReviewPlan, bound_share, forecast_reviews
from specialists.review_value import count_until

SAMPLE = AuditTerms(target=None, error=0.05, known_rate=0.0)


def make_pilot(rows: int, share: float, seed: int = 0) -> PilotRows:
    """Return a pilot in which about `share` of the rows are worth a review."""
    value = (np.random.default_rng(seed).random(rows) < share).astype(np.float64)
    return PilotRows(value, 0.05 + 0.3 * value)


def make_plan(**changed: Any) -> ReviewPlan:
    plan = ReviewPlan(rows=10_000, reviewed=200, worth=0.5, most=10_000, spot_checks=200, audit=SAMPLE)
    return replace(plan, **changed)


def test_the_rows_are_those_of_the_machine() -> None:
    pilot = PilotRows(np.repeat([1.0, 0.0], [100, 300]), np.full(400, 0.1))
    told = forecast_reviews(pilot, make_plan(), seed=0)
    assert told.risk.expected == 0.25 * 9800
    assert told.spot_checks == Span(expected=200, low=200, high=200)
    assert told.audit.expected == size_sample(10_000, 10_000 - 200 - 2450 - 200) == 300
    assert told.total.expected == 2450 + 200 + 300
    low, high = bound_share(0.25, 400)
    assert (told.risk.low, told.risk.high) == (round(low * 9800), round(high * 9800))


@pytest.mark.parametrize(("value", "worth", "most", "expected"), [(1.0, 0.5, 500, 500), (1.0, np.inf, 10_000, 0)])
def test_no_more_is_reviewed_than_may_be(value: float, worth: float, most: int, expected: int) -> None:
    pilot = PilotRows(np.full(100, value), np.full(100, 0.1))
    told = forecast_reviews(pilot, make_plan(worth=worth, most=most, audit=None), seed=0)
    assert told.risk.expected == expected
    assert told.audit == Span(expected=0, low=0, high=0)


def test_a_file_that_is_reviewed_whole_is_not_audited() -> None:
    told = forecast_reviews(make_pilot(50, 1.1), make_plan(rows=300), seed=0)
    assert (told.risk.expected, told.spot_checks.expected, told.audit.expected) == (100, 0, 0)
    assert told.total.high == 100


def test_without_rows_there_is_nothing_and_without_a_pilot_no_forecast() -> None:
    empty = PilotRows(np.zeros(0), np.zeros(0))
    assert forecast_reviews(empty, make_plan(rows=0), seed=0).total.high == 0
    with pytest.raises(ValueError, match="a pilot without a row"):
        forecast_reviews(empty, make_plan(), seed=0)


def test_the_interval_holds_the_share_as_often_as_it_says() -> None:
    generator, held = np.random.default_rng(5), 0
    for _ in range(1000):
        low, high = bound_share(generator.binomial(300, 0.07) / 300, 300)
        held += low <= 0.07 <= high
    assert held / 1000 >= LEVEL - 0.02, "Clopper and Pearson's never holds less often"


@pytest.mark.parametrize(("share", "ends"), [(0.0, (0.0, 0.03)), (1.0, (0.97, 1.0))])
def test_a_share_of_none_or_all_has_a_range_too(share: float, ends: tuple[float, float]) -> None:
    low, high = bound_share(share, 100)
    assert (low, high) == pytest.approx(ends, abs=0.001)


def test_a_target_takes_what_its_audit_is_forecast_to_take() -> None:
    risk = np.linspace(0.4, 0.0, 400)
    terms = AuditTerms(target=0.1, error=0.0425, known_rate=0.02)
    told = forecast_reviews(PilotRows(np.zeros(400), risk), make_plan(rows=4000, spot_checks=0, audit=terms), seed=0)
    expected = forecast_audit(np.repeat(risk, 10)[:3800], allowed=400, known=4, error=0.0425)
    assert expected is not None
    assert told.audit.expected == pytest.approx(expected.reviews, rel=0.1)
    assert told.audit.low < told.audit.expected < told.audit.high


def test_the_bootstrap_holds_what_the_whole_file_takes() -> None:
    """The file's own forecast lies in the range of most pilots drawn from it."""
    generator = np.random.default_rng(3)
    file = generator.beta(0.6, 3.0, size=20_000)
    terms = AuditTerms(target=0.1, error=0.0425, known_rate=0.0)
    plan = make_plan(rows=20_000, reviewed=0, spot_checks=0, audit=terms, worth=2.0)
    whole = forecast_reviews(PilotRows(np.zeros(20_000), file), plan, seed=0).audit.expected
    held = 0
    for seed in range(20):
        drawn = generator.choice(file, size=400, replace=False)
        told = forecast_reviews(PilotRows(np.zeros(400), drawn), plan, seed=seed).audit
        held += told.low <= whole <= told.high
    assert held >= 15


def test_stages_with_a_target_review_the_riskiest_until_the_others_meet_it() -> None:
    """All rows of the file may differ so often together, those that are reviewed already among them."""
    risk = np.linspace(0.4, 0.0, 400)
    terms = AuditTerms(target=0.1, error=0.05, known_rate=0.0)
    told = forecast_reviews(PilotRows(risk, risk), make_plan(rows=4200, target=0.1, audit=terms), seed=0)
    assert told.risk.expected == pytest.approx(choose_start(np.repeat(risk, 10), 420), abs=10)
    assert told.risk.low < told.risk.expected < told.risk.high
    known = replace(terms, known_rate=0.1)
    more = forecast_reviews(PilotRows(risk, risk), make_plan(rows=4200, target=0.1, audit=known), seed=0)
    assert more.risk.expected == pytest.approx(choose_start(np.repeat(risk, 10), 400), abs=10)
    met = forecast_reviews(PilotRows(risk, risk), make_plan(target=0.21, audit=terms), seed=0)
    assert met.risk.expected == 0


def test_where_gold_rows_certify_reviews_go_on_until_so_few_errors_are_left() -> None:
    """A review removes a part of what is at stake, since the reviewer errs; and no audit widens afterwards."""
    risk = np.linspace(0.4, 0.0, 400)
    told = forecast_reviews(PilotRows(0.5 * risk, risk), make_plan(rows=4200, target=0.15, audit=None), seed=0)
    assert told.risk.expected == pytest.approx(count_until(np.repeat(0.5 * risk, 10), 800.0, 630.0), abs=10)
    hopeless = forecast_reviews(PilotRows(0.5 * risk, risk), make_plan(rows=4200, target=0.05, audit=None), seed=0)
    assert hopeless.risk.expected == 4000


def test_a_target_that_the_reviews_already_miss_is_not_audited() -> None:
    terms = AuditTerms(target=0.001, error=0.05, known_rate=0.5)
    told = forecast_reviews(make_pilot(400, 0.2), make_plan(audit=terms), seed=0)
    assert not told.certifiable
    assert told.audit.expected == 0


def test_the_same_pilot_has_the_same_forecast() -> None:
    terms = AuditTerms(target=0.1, error=0.05, known_rate=0.01)
    pilot, plan = make_pilot(400, 0.2), make_plan(audit=terms)
    assert forecast_reviews(pilot, plan, seed=1) == forecast_reviews(pilot, plan, seed=1)
