"""The calibrated vote, on made-up tasks whose truth is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from specialists.calibrated_vote import (
    LEAST_TAUGHT,
    MOST_WEIGHT,
    ReviewedRows,
    apply_vote,
    fit_vote,
    score_rows,
    value_reviews,
    weigh_rows,
)
from specialists.combination import NOT_ASKED, centre_sureness, find_middle
from specialists.combination_fit import (
    RELIABILITIES,
    TaughtRows,
    _penalise,  # pyright: ignore[reportPrivateUsage]
    _Problem,  # pyright: ignore[reportPrivateUsage] (its gradient)
    _start,  # pyright: ignore[reportPrivateUsage]
    _unpack,  # pyright: ignore[reportPrivateUsage]
    default_combination,
    fit_combination,
)
from specialists.combination_record import CombinationRecord, record_combination, restore_combination
from specialists.embedding import fit_embedding
from specialists.head import PENALTIES, fit_head
from specialists.label_space import OneLabel
from specialists.review_value import choose_reviews, expect_removed_errors
from specialists.weighing import fit_weighing


@dataclass(frozen=True)
class Task:
    probs: np.ndarray
    states: np.ndarray
    gold: np.ndarray


def make_task(rows: int = 1500, seed: int = 0, signal: float = 2.5) -> Task:
    """Three labels; three specialists of whom none ever gives the second label, and hidden states that tell all
    three."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(3, rows, p=[0.3, 0.3, 0.4])
    centres = rng.normal(size=(3, 40))
    states = signal * centres[gold] / np.sqrt(40) + rng.normal(size=(rows, 40)) * 0.8
    votes = np.where(rng.random((3, rows)) < 0.8, np.where(gold == 1, rng.choice([0, 2], rows), gold), 0)
    probs = np.full((3, rows, 3), 0.05)
    np.put_along_axis(probs, votes[:, :, None], 0.9, axis=2)
    features = states.astype(np.float32)
    return Task(probs, fit_embedding(features, seed=0).embed(features), gold)


def review(task: Task, chosen: np.ndarray, accuracy: float, seed: int = 1) -> ReviewedRows:
    """Review the chosen rows with a reviewer that errs evenly."""
    rng = np.random.default_rng(seed)
    gold = task.gold[chosen]
    wrong = (gold + rng.integers(1, 3, len(gold))) % 3
    return ReviewedRows(
        probs=task.probs[:, chosen],
        states=task.states[chosen],
        answers=np.where(rng.random(len(gold)) < accuracy, gold, wrong),
        truth=np.full(len(gold), NOT_ASKED),
        sureness=np.full(len(gold), np.nan),
        inclusion=np.ones(len(gold)),
    )


def accuracy(probs: np.ndarray, gold: np.ndarray) -> float:
    return float((probs.argmax(axis=1) == gold).mean())


def test_few_reviews_leave_the_plain_vote() -> None:
    task = make_task()
    rows = review(task, np.arange(LEAST_TAUGHT - 1), 0.9)
    labels = apply_vote(fit_vote(rows).model, task.probs, task.states).argmax(axis=1)
    assert (labels == task.probs.mean(axis=0).argmax(axis=1)).all()


def test_a_label_that_no_specialist_gives_is_learned_from_reviews() -> None:
    task = make_task()
    rest = np.arange(400, 1500)
    probs = apply_vote(fit_vote(review(task, np.arange(400), 0.9)).model, task.probs, task.states)
    before = accuracy(task.probs.mean(axis=0), task.gold)
    assert accuracy(probs[rest], task.gold[rest]) > before + 0.15
    assert (probs.argmax(axis=1) == 1).mean() > 0.2


def test_a_poor_reviewer_is_overruled_and_a_good_one_is_not() -> None:
    task, chosen = make_task(signal=5.0), np.arange(900)
    poor, good = review(task, chosen, 0.6), review(task, chosen, 0.99)
    after = fit_vote(poor).after
    assert accuracy(after, task.gold[chosen]) > (poor.answers == task.gold[chosen]).mean() + 0.1
    assert accuracy(fit_vote(good).after, task.gold[chosen]) >= 0.98


def test_where_texts_tell_nothing_the_reviewer_stands() -> None:
    task = make_task(signal=0.0)
    noise = np.random.default_rng(3).dirichlet(np.ones(3), size=(3, len(task.gold)))
    rows = review(Task(noise, task.states, task.gold), np.arange(600), 0.95)
    after = fit_vote(rows).after
    assert (after.argmax(axis=1) == rows.answers).mean() > 0.98


def test_gold_is_truth_and_tells_how_good_the_reviewer_is() -> None:
    task, chosen = make_task(signal=1.0), np.arange(600)
    rows = review(task, chosen, 0.55)
    truth = rows.truth.copy()
    truth[:200] = task.gold[:200]
    without, told = fit_vote(rows), fit_vote(replace(rows, truth=truth))
    assert (told.after[:200].argmax(axis=1) == task.gold[:200]).all()
    assert told.model.combination.weights @ RELIABILITIES < without.model.combination.weights @ RELIABILITIES
    assert accuracy(told.after[200:], task.gold[200:600]) > (rows.answers[200:] == task.gold[200:600]).mean()


def test_sureness_counts_where_gold_calibrates_it_and_not_else() -> None:
    task, chosen = make_task(signal=1.0), np.arange(900)
    rows = review(task, chosen, 0.7)
    right = rows.answers == task.gold[chosen]
    told = replace(rows, sureness=np.where(right, 0.95, 0.8))
    assert (fit_vote(told).after == fit_vote(rows).after).all()
    truth = np.where(chosen < 300, task.gold[chosen], NOT_ASKED)
    with_gold, silent = (fit_vote(replace(one, truth=truth)).after[300:] for one in (told, rows))
    assert accuracy(with_gold, task.gold[300:900]) > accuracy(silent, task.gold[300:900]) + 0.02


def test_the_same_rows_give_the_same_labels() -> None:
    task = make_task()
    rows = review(task, np.arange(300), 0.8)
    first, second = (apply_vote(fit_vote(rows).model, task.probs, task.states) for _ in range(2))
    assert (first == second).all()
    halves = [
        apply_vote(fit_vote(rows).model, task.probs[:, part], task.states[part])
        for part in (slice(0, 700), slice(700, None))
    ]
    np.testing.assert_allclose(np.concatenate(halves), first, atol=1e-12)


def test_scores_out_of_fold_are_those_of_a_head_without_the_row() -> None:
    task = make_task(rows=60)
    targets, weights = np.eye(3)[task.gold], np.random.default_rng(0).uniform(0.5, 2.0, 60)
    head, scores = fit_head(task.states, targets, weights)
    assert head.penalty in PENALTIES
    for row in (0, 17, 59):
        others = np.arange(60) != row
        columns = np.column_stack([task.states, np.full(60, 3.0)])
        gram = columns[others].T @ (columns[others] * weights[others, None]) + head.penalty * np.eye(columns.shape[1])
        left = columns[row] @ np.linalg.solve(gram, columns[others].T @ (targets * weights[:, None])[others])
        np.testing.assert_allclose(scores[row], left, atol=1e-6)


def make_taught_rows() -> TaughtRows:
    """Fifty rows, of which some have a truth, most an answer, and all at least one of them."""
    rng = np.random.default_rng(0)
    truth = np.where(rng.random(50) < 0.3, rng.integers(0, 3, 50), NOT_ASKED)
    answers = np.where((rng.random(50) < 0.9) | (truth == NOT_ASKED), rng.integers(0, 3, 50), NOT_ASKED)
    return TaughtRows(
        vote=rng.dirichlet(np.ones(3), 50),
        scores=rng.normal(size=(50, 3)),
        answers=answers,
        truth=truth,
        sureness=rng.normal(size=50),
        weights=rng.uniform(0.5, 1.5, 50),
    )


def test_the_gradient_is_that_of_the_cost() -> None:
    start = _start(3, 0.9)
    problem = _Problem(make_taught_rows(), start)
    point = start + 0.3 * np.random.default_rng(1).normal(size=len(start))
    assert check_grad(lambda x: problem.cost(x)[0], lambda x: problem.cost(x)[1], point) < 1e-4


def test_what_is_fitted_is_what_is_used() -> None:
    rows, start = make_taught_rows(), _start(3, 0.9)
    point = start + 0.3 * np.abs(np.random.default_rng(1).normal(size=len(start)))
    member = _unpack(point, 3)
    said = member.reliability(rows.sureness)
    joint = member.predict(rows.vote, rows.scores)
    for row, (answer, truth) in enumerate(zip(rows.answers, rows.truth, strict=True)):
        joint[row] *= 1.0 if answer == NOT_ASKED else said[row, :, answer]
        joint[row] *= 1.0 if truth == NOT_ASKED else np.arange(3) == truth
    wanted = _penalise(point, start, 3)[0] - rows.weights @ np.log(joint.sum(axis=1))
    assert _Problem(rows, start).cost(point)[0] == pytest.approx(wanted)


def test_differences_and_gains_are_those_of_the_expected_answers() -> None:
    combination = default_combination(3)
    rows = make_taught_rows()
    joint = combination.expect_answers(rows.vote, rows.scores)
    np.testing.assert_allclose(joint.sum(axis=2), combination.predict(rows.vote, rows.scores))
    best = joint.sum(axis=2).argmax(axis=1)
    same = np.array([joint[row, :, label].sum() for row, label in enumerate(best)])
    np.testing.assert_allclose(combination.expect_differences(rows.vote, rows.scores), 1.0 - same)
    clear = np.full((1, 3), 0.01) + np.array([[0.97, 0.0, 0.0]])
    gains = [combination.expect_gains(vote, np.zeros((1, 3)))[0] for vote in (np.full((1, 3), 1 / 3), clear)]
    assert gains[0] > 0.3 > gains[1]


def test_without_any_row_every_reviewer_is_possible() -> None:
    nothing = np.zeros((0, 2))
    none = np.zeros(0, dtype=np.int64)
    combination = fit_combination(TaughtRows(nothing, nothing, none, none, np.zeros(0), np.zeros(0)))
    assert len(combination.members) == len(RELIABILITIES)
    assert combination.weights.sum() == pytest.approx(1.0)


def test_weights_undo_the_choice_and_are_bounded() -> None:
    weights = weigh_rows(np.array([1.0, 1.0, 0.5, 0.001]))
    assert weights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weights / weights[0], [1.0, 1.0, 2.0, MOST_WEIGHT])


def test_how_sure_a_later_answer_is_counts_as_for_those_that_taught() -> None:
    task = make_task()
    rows = review(task, np.arange(600), 0.75)
    sure = np.where(rows.answers == task.gold[:600], 0.95, 0.7)
    fitted = fit_weighing(replace(rows, truth=task.gold[:600], sureness=sure), OneLabel(("a", "b", "c")))
    weighing, opinion = fitted.weighing, fitted.form_opinion(task.probs[:, 600:], task.states[600:])
    answers = review(task, np.arange(600, 1500), 0.75).answers
    high, low, unsaid = (
        weighing.space.rate(weighing.weigh_answers(opinion, answers, np.full(900, one)), answers)
        for one in (0.95, 0.7, np.nan)
    )
    assert (high >= unsaid).all()
    assert (unsaid >= low).all()
    assert (high - low).mean() > 0.05


def test_sureness_is_centred_and_silence_is_the_middle() -> None:
    said = np.array([0.9, 0.6, np.nan])
    centred = centre_sureness(said, find_middle(said))
    assert centred[2] == 0.0
    assert centred[:2].sum() == pytest.approx(0.0)
    assert centred[0] > centred[1]


def test_a_review_is_worth_the_errors_that_it_removes() -> None:
    probs = np.array([[0.5, 0.5], [0.9, 0.1], [0.99, 0.01]])
    reliable = np.array([[0.9, 0.1], [0.1, 0.9]])
    value = expect_removed_errors(probs[:, :, None] * reliable)
    np.testing.assert_allclose(value, [0.4, 0.0, 0.0], atol=1e-12)
    useless = np.full((2, 2), 0.5)
    assert expect_removed_errors(probs[:, :, None] * useless).max() == pytest.approx(0.0)


def test_reviews_are_chosen_by_what_they_bring_for_their_cost() -> None:
    value, cost = np.array([0.4, 0.3, 0.3, 0.05]), np.array([2.0, 1.0, 1.0, 0.01])
    everywhere = np.ones(4, dtype=np.bool_)
    assert choose_reviews(value, cost, everywhere, 3).tolist() == [3, 1, 2]
    assert choose_reviews(value, cost, everywhere, 9, worth=0.1).tolist() == [1, 2, 0]
    assert choose_reviews(value, cost, np.array([True, False, True, False]), 9).tolist() == [2, 0]


def test_a_reviewer_that_is_worse_than_the_vote_is_not_worth_asking() -> None:
    def value(signal: float, accuracy: float) -> float:
        task = make_task(signal=signal)
        model = fit_vote(review(task, np.arange(600), accuracy)).model
        return float(value_reviews(model, task.probs[:, 600:], task.states[600:]).mean())

    assert value(signal=1.0, accuracy=0.97) > 0.1
    assert value(signal=5.0, accuracy=0.6) < 0.01


def test_a_row_of_which_nothing_is_known_is_refused() -> None:
    rows = review(make_task(), np.arange(100), 0.9)
    answers = rows.answers.copy()
    answers[[3, 7]] = NOT_ASKED
    with pytest.raises(ValueError, match="2 of 100 rows have neither an answer nor a truth"):
        fit_vote(replace(rows, answers=answers))
    truth = np.where(answers == NOT_ASKED, 0, NOT_ASKED)
    assert (fit_vote(replace(rows, answers=answers, truth=truth)).after[[3, 7], 0] == 1.0).all()


def test_a_label_that_no_reviewed_row_has_keeps_a_probability() -> None:
    task = make_task()
    chosen = np.flatnonzero(task.gold != 1)[:200]
    rows = replace(review(task, chosen, 0.9), truth=task.gold[chosen])
    probs = apply_vote(fit_vote(rows).model, task.probs, task.states)
    assert (probs > 0.0).all()
    assert np.allclose(probs.sum(axis=1), 1.0)


def test_one_specialist_and_one_row_are_enough() -> None:
    task = make_task()
    alone = Task(task.probs[:1], task.states, task.gold)
    model = fit_vote(review(alone, np.arange(200), 0.9)).model
    one = apply_vote(model, alone.probs[:, :1], alone.states[:1])
    assert one.shape == (1, 3)
    assert np.allclose(one, apply_vote(model, alone.probs, alone.states)[:1])
    state = np.ones((1, 30), dtype=np.float32)
    assert np.isfinite(fit_embedding(state, seed=0).embed(state)).all()


def test_specialists_confusion_is_learned_from_a_reviewer_that_errs() -> None:
    task, chosen = make_task(signal=5.0), np.arange(900)
    model = fit_vote(review(task, chosen, 0.75)).model
    own = task.probs.argmax(axis=2)
    for one, confusion in zip(own, model.confusion, strict=True):
        truth = [[(one[task.gold == i] == j).mean() for j in range(3)] for i in range(3)]
        np.testing.assert_allclose(confusion, truth, atol=0.08)


def test_a_recorded_vote_weighs_answers_as_the_vote_did() -> None:
    task, chosen = make_task(), np.arange(200)
    model = fit_vote(review(task, chosen, 0.85)).model
    written = record_combination(model, ("a", "b", "c"), ("x", "y", "z")).model_dump_json()
    record = CombinationRecord.model_validate_json(written)
    assert record.labels == ("x", "y", "z")
    np.testing.assert_allclose(np.sum(record.reviewer, axis=1), 1.0)
    assert np.diag(record.reviewer).mean() == pytest.approx(0.85, abs=0.1)
    vote, scores = model.pool(task.probs), score_rows(model, task.probs, task.states)
    answers, unsaid = task.gold, np.zeros(len(task.gold))
    np.testing.assert_array_equal(
        restore_combination(record).weigh_answers(vote, scores, answers, unsaid),
        model.combination.weigh_answers(vote, scores, answers, unsaid),
    )
    assert [one.name for one in record.specialists] == ["a", "b", "c"]
    np.testing.assert_array_equal([one.confusion for one in record.specialists], model.confusion)
    few = fit_vote(review(task, np.arange(LEAST_TAUGHT - 1), 0.85)).model
    assert record_combination(few, ("a", "b", "c"), ("x", "y", "z")).specialists[0].slope is None
