"""The audit under a target: what a record of draws shows, and what is done next."""

import numpy as np
import pytest

from specialists.audit import (
    DIFFERS,
    LOOK,
    SAME,
    UNANSWERED,
    AuditPlan,
    AuditRecord,
    choose_step,
    draw_order,
    find_room,
    find_unanswered_floor,
    is_futile,
    read_looks,
)
from specialists.audit_planning import plan_audit

ROWS, REVIEWED, ALLOWED, ERROR = 3000, 900, 300, 0.05


def make_risk(mean: float = 0.12) -> np.ndarray:
    return np.linspace(2 * mean, 0.0, ROWS - REVIEWED)


def make_plan(mean: float = 0.12, **changes: float) -> AuditPlan:
    return plan_audit(make_risk(mean), rows=ROWS, allowed=ALLOWED, known=0, error=ERROR, **changes)


def make_record(outcome: np.ndarray, draws: int, seed: int = 0) -> AuditRecord:
    """Return the record of the first draws from a population (n_unreviewed,) of outcomes in the order of risk."""
    order = draw_order(len(outcome), seed)[:draws]
    return AuditRecord(
        positions=tuple(order.tolist()),
        outcomes=tuple(outcome[order].tolist()),
        corrected=tuple((i + 1, int(p)) for i, p in enumerate(order) if outcome[p] == DIFFERS),
    )


def draw_outcomes(mean: float, seed: int = 1) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(ROWS - REVIEWED) < make_risk(mean), DIFFERS, SAME)


def test_a_good_vote_is_certified_without_widening() -> None:
    plan, looks = make_plan(0.05), read_looks(make_plan(0.05), make_record(draw_outcomes(0.05), 500))
    ends = [choose_step(plan, looks, look=look) for look in range(len(looks.ends))]
    assert ends[0].kind == "draw"
    done = next(step for step in ends if step.kind == "widen")
    assert (done.amount, done.reviews) == (0, 0)


def test_a_worse_vote_is_widened_and_a_hopeless_one_reviewed_whole() -> None:
    plan = make_plan()
    everywhere = np.full(ROWS - REVIEWED, DIFFERS)
    steps = [choose_step(plan, read_looks(plan, make_record(one, 600))) for one in (draw_outcomes(0.2), everywhere)]
    assert steps[0].kind == "widen"
    assert 0 < plan.amounts[steps[0].amount or 0] < plan.unreviewed / 2
    drawn = read_looks(plan, make_record(everywhere, 600)).drawn[-1, steps[1].amount or 0]
    assert plan.unreviewed - plan.amounts[steps[1].amount or 0] - drawn <= ALLOWED


def test_the_looks_are_the_same_however_the_draws_were_batched() -> None:
    plan, outcome = make_plan(), draw_outcomes(0.12)
    whole = read_looks(plan, make_record(outcome, 400))
    for draws in (400, 399, 380, 130):
        part = read_looks(plan, AuditRecord.model_validate_json(make_record(outcome, draws).model_dump_json()))
        assert part.ends.tolist() == list(range(0, draws + 1, LOOK))
        assert (part.certifiable == whole.certifiable[: len(part.ends)]).all()
        assert choose_step(plan, part) == choose_step(plan, whole, look=len(part.ends) - 1)


def test_the_counts_are_of_the_rows_that_an_amount_leaves() -> None:
    plan = make_plan()
    outcome = draw_outcomes(0.2)
    record = make_record(outcome, 100)
    looks = read_looks(plan, record)
    for i, amount in enumerate(plan.amounts):
        left = [p for p in record.positions if p >= amount]
        assert looks.drawn[-1, i] == len(left)
        assert looks.wrong[-1, i] == looks.corrected[-1, i] == sum(outcome[p] != SAME for p in left)


def test_no_amount_is_certified_unless_every_wider_one_passes() -> None:
    """No errors are found but in one wide amount's rows: it fails, and nothing narrower is certifiable."""
    plan = make_plan(0.1)
    outcome = np.full(ROWS - REVIEWED, SAME)
    before = read_looks(plan, make_record(outcome, 800)).certifiable[-1]
    assert before.all()
    outcome[-700:] = DIFFERS
    blocked = read_looks(plan, make_record(outcome, 800)).certifiable[-1]
    left = plan.unreviewed - np.asarray(plan.amounts)
    assert blocked[left <= ALLOWED].all()
    assert not blocked[left >= 700].any()


def test_a_vote_much_better_than_it_thinks_needs_no_credit() -> None:
    plan = make_plan(0.2)
    assert plan.credit[0] > 20
    looks = read_looks(plan, make_record(draw_outcomes(0.02), 500))
    assert looks.corrected[-1, 0] < plan.credit[0]
    assert looks.certifiable[-1, 0]


def test_a_row_without_an_answer_counts_as_different_and_is_not_corrected() -> None:
    plan, outcome = make_plan(), draw_outcomes(0.18)
    silent = np.where(outcome == DIFFERS, UNANSWERED, outcome)
    answered, refused = (read_looks(plan, make_record(one, 600)) for one in (outcome, silent))
    assert (refused.wrong == answered.wrong).all()
    assert refused.corrected.sum() == 0
    assert refused.certifiable[-1].sum() < answered.certifiable[-1].sum()
    assert find_unanswered_floor(plan, refused) > 100 > find_unanswered_floor(plan, answered) == 0


def test_corrected_copies_count_where_they_are_and_from_when_they_were() -> None:
    plan, record = make_plan(), make_record(draw_outcomes(0.12), 50)
    plain = read_looks(plan, record)
    undrawn = next(p for p in range(plan.unreviewed - 1, 0, -1) if p not in record.positions)
    copied = read_looks(plan, record.model_copy(update={"corrected": (*record.corrected, (30, undrawn))}))
    assert (copied.corrected - plain.corrected)[:, 0].tolist() == [0, 0, 1]
    assert (copied.wrong == plain.wrong).all()


def test_the_budget_bounds_what_is_widened() -> None:
    plan = make_plan()
    looks = read_looks(plan, make_record(draw_outcomes(0.2), 600))
    free = choose_step(plan, looks)
    assert free.kind == "widen"
    assert choose_step(plan, looks, most=free.reviews) == free
    assert choose_step(plan, looks, most=free.reviews - 1) != free
    assert choose_step(plan, looks, most=0).kind == "stop"


def test_what_is_out_of_reach_is_given_up_early() -> None:
    plan = make_plan(0.05)
    looks = read_looks(plan, make_record(draw_outcomes(0.45), 150))
    assert is_futile(plan, looks, most=50)
    assert not is_futile(plan, looks, most=plan.unreviewed)
    assert choose_step(plan, looks, most=50).kind == "stop"


def test_an_amount_that_was_settled_is_not_chosen_again() -> None:
    plan = make_plan()
    looks = read_looks(plan, make_record(draw_outcomes(0.2), 600))
    first = choose_step(plan, looks)
    assert first.amount
    second = choose_step(plan, looks, widened=first.amount)
    assert (second.amount or 0) > first.amount
    between = plan.amounts[second.amount or 0] - plan.amounts[first.amount]
    assert 0 < second.reviews <= between


def test_the_room_is_what_the_target_leaves_after_known_and_unanswered_rows() -> None:
    plan = plan_audit(make_risk(), rows=ROWS, allowed=ALLOWED, known=40, error=ERROR, unanswered_rate=0.02)
    assert find_room(plan)[0] == ALLOWED - 40
    assert (np.diff(find_room(plan)) <= 0).all()


def test_whoever_claims_without_evidence_would_be_found_out() -> None:
    """Most audits of a population just over its target must not certify it as it is; a lax error shows that these
    audits can fail."""
    risk = np.full(400, 0.05)
    certified = {}
    for error in (0.05, 0.6):
        plan = plan_audit(risk, rows=400, allowed=40, known=0, error=error)
        hits = 0
        for seed in range(150):
            outcome = np.where(np.random.default_rng(seed).permutation(400) < 50, DIFFERS, SAME)
            looks = read_looks(plan, make_record(outcome, 300, seed))
            meets = outcome[::-1].cumsum()[::-1][list(plan.amounts[:1])] - looks.corrected[:, 0] <= 40
            hits += bool((looks.certifiable[:, 0] & ~meets).any())
        certified[error] = hits / 150
    assert certified[0.05] <= 0.05
    assert certified[0.6] > 0.1


def test_a_plan_is_plain_data() -> None:
    plan = make_plan()
    assert AuditPlan.model_validate_json(plan.model_dump_json()) == plan


def test_the_order_is_a_permutation_of_its_seed() -> None:
    assert sorted(draw_order(100, 3).tolist()) == list(range(100))
    assert draw_order(100, 3).tolist() == draw_order(100, 3).tolist() != draw_order(100, 4).tolist()


@pytest.mark.parametrize("draws", [0, 7])
def test_a_population_smaller_than_a_look_is_read_at_its_end(draws: int) -> None:
    plan = plan_audit(np.full(7, 0.5), rows=100, allowed=3, known=0, error=ERROR)
    looks = read_looks(plan, make_record(np.zeros(7, dtype=np.int64), draws))
    assert looks.certifiable[-1, 0] == (draws == 7)
