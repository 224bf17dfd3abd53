"""What may be stated, and with which part of the error probability."""

import numpy as np
import pytest

from specialists.audit import (
    DIFFERS,
    SAME,
    UNANSWERED,
    AuditPlan,
    AuditRecord,
    Step,
    choose_step,
    draw_order,
    read_looks,
)
from specialists.audit_planning import plan_audit
from specialists.bounds import bound_total
from specialists.certificate import (
    count_allowed,
    rule_out,
    rule_out_unanswered,
    share_error,
    size_sample,
    state_bound,
    state_by_sample,
    state_certified,
    state_counted,
    state_missed,
)


def test_all_claims_together_stay_within_the_error() -> None:
    errors = [share_error(0.95, claims) for claims in range(60)]
    assert sum(errors) <= 0.05 + 1e-12
    assert sum(errors) == pytest.approx(0.05)
    assert errors == sorted(errors, reverse=True)


def test_the_target_is_counted_in_whole_rows() -> None:
    assert [count_allowed(*one) for one in ((1000, 0.1), (999, 0.1), (30, 0.1), (7, 0.29))] == [100, 99, 3, 2]


def test_the_sample_without_a_target() -> None:
    assert [size_sample(*one) for one in ((1000, 900), (100_000, 50_000), (1000, 20), (10, 10))] == [50, 300, 20, 1]


def test_the_bound_counts_what_is_known_and_what_was_mended() -> None:
    statement = state_bound(rows=2000, known=12, unreviewed=1500, drawn=100, wrong=9, mended=8, error=0.05)
    upper = int(bound_total(np.array(9), np.array(100), np.array(1500), 0.05))
    assert statement.differing == 12 + upper - 8
    assert statement.beside is not None
    assert statement.beside > statement.differing
    assert statement.share == pytest.approx((12 + upper - 8) / 2000)


def test_nothing_unreviewed_leaves_what_is_known() -> None:
    statement = state_bound(rows=50, known=3, unreviewed=0, drawn=0, wrong=0, mended=0, error=0.05)
    assert (statement.differing, statement.beside) == (3, 3)


def make_audit(rate: float = 0.03, outcome: int = DIFFERS, draws: int = 800) -> tuple[AuditPlan, AuditRecord]:
    plan = plan_audit(np.full(1800, rate), rows=2000, allowed=100, known=5, error=0.05, unanswered_rate=0.01)
    found = np.where(np.random.default_rng(0).random(1800) < rate, outcome, SAME)
    order = draw_order(1800, 1)[:draws]
    corrected = tuple((i + 1, int(p)) for i, p in enumerate(order) if found[p] == DIFFERS)
    return plan, AuditRecord(
        positions=tuple(order.tolist()), outcomes=tuple(found[order].tolist()), corrected=corrected
    )


def test_the_certificate_states_the_target() -> None:
    plan, record = make_audit()
    looks = read_looks(plan, record)
    step = choose_step(plan, looks)
    assert step.kind == "widen"
    statement = state_certified(plan, looks, step, 0)
    assert statement is not None
    assert (statement.verdict, statement.differing, statement.error) == ("certified", 100, 0.05)


def test_too_many_unanswered_rows_spoil_an_amount() -> None:
    plan, record = make_audit()
    looks = read_looks(plan, record)
    step = Step(kind="widen", amount=len(plan.amounts) - 1)
    allowance = plan.unanswered[-1]
    assert allowance > 0
    assert state_certified(plan, looks, step, allowance) is not None
    assert state_certified(plan, looks, step, allowance + 1) is None


def test_what_was_not_shown_is_not_certified() -> None:
    plan, record = make_audit(draws=0)
    looks = read_looks(plan, record)
    for step in (Step(kind="widen", amount=0), Step(kind="draw")):
        with pytest.raises(ValueError, match="not certifiable at look"):
            state_certified(plan, looks, step, 0)


def test_a_missed_target_states_a_bound_and_why() -> None:
    plan, record = make_audit()
    looks = read_looks(plan, record)
    missed = state_missed(plan, looks, known=plan.known, mended=len(record.corrected), error=0.004)
    wrong = sum(one != SAME for one in record.outcomes)
    assert missed.verdict == "not certified"
    assert missed.differing is not None
    assert plan.known <= missed.differing
    looser = state_missed(plan, looks, known=plan.known, mended=0, error=0.004)
    assert looser.differing == missed.differing + wrong
    assert "the target allows 100" in missed.reason


def test_a_reviewer_that_leaves_too_many_rows_unanswered_is_ruled_out() -> None:
    plan, record = make_audit(0.2, UNANSWERED, 400)
    verdict = rule_out_unanswered(plan, read_looks(plan, record))
    assert verdict is not None
    assert verdict.verdict == "not certifiable"
    assert verdict.differing is verdict.share is None
    fine = make_audit(0.2, DIFFERS, 400)
    assert rule_out_unanswered(fine[0], read_looks(*fine)) is None


def test_where_all_rows_are_reviewed_they_are_counted() -> None:
    met = state_counted(1000, 50, 30, 20, 0.04)
    assert (met.verdict, met.differing, met.error) == ("certified", 50, 0.04)
    assert state_counted(1000, 50, 30, 21, 0.04).verdict == "not certifiable"


def test_a_bound_by_a_fixed_sample_meets_a_target_or_not() -> None:
    bound = state_bound(rows=400, known=0, unreviewed=350, drawn=50, wrong=2, mended=2, error=0.04)
    assert bound.differing is not None
    assert state_by_sample(bound, bound.differing) == bound.model_copy(update={"verdict": "certified"})
    missed = state_by_sample(bound, bound.differing - 1)
    assert (missed.verdict, missed.differing) == ("not certified", bound.differing)
    assert f"the target allows {bound.differing - 1}" in missed.reason


def test_what_is_known_alone_may_rule_a_target_out() -> None:
    assert rule_out(1000, 50, 40, 10) is None
    verdict = rule_out(1000, 50, 40, 11)
    assert verdict is not None
    assert "40 reviewed rows" in verdict.reason
    assert "the target allows 50" in verdict.reason
