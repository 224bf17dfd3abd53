"""Decisions for tasks with any number of labels, on made-up tasks whose truth is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from specialists.calibrated_vote import LEAST_TAUGHT, ReviewedRows, fit_vote, value_reviews
from specialists.combination import NOT_ASKED
from specialists.embedding import fit_embedding
from specialists.label_space import PLAIN_THRESHOLD, LabelSets, split_label
from specialists.multi_label import LEAST_THRESHOLD, ReviewedSets, choose_threshold, fit_sets
from specialists.weighing import FittedWeighing, Weighing, fit_weighing, record_weighing, restore_weighing

SHARES = (0.4, 0.15, 0.05)
"""How many rows have each label: a common one, a rarer one, a rare one."""
TAUGHT = 900


@dataclass(frozen=True)
class Task:
    probs: np.ndarray
    states: np.ndarray
    gold: np.ndarray


def make_task(rows: int = 3000, seed: int = 0, signal: float = 0.7) -> Task:
    """Three specialists of modest worth, and hidden states that tell more."""
    rng = np.random.default_rng(seed)
    gold = (rng.random((rows, 3)) < SHARES).astype(np.int64)
    axes = rng.normal(size=(3, 40)) / np.sqrt(40)
    features = (signal * (gold - np.array(SHARES)) @ axes * 3 + rng.normal(size=(rows, 40))).astype(np.float32)
    logits = 2.0 * (gold - 0.7)[None] + 2.0 * rng.normal(size=(3, rows, 3))
    return Task(1.0 / (1.0 + np.exp(-logits)), fit_embedding(features, seed=0).embed(features), gold)


def review(task: Task, chosen: np.ndarray, error: float = 0.05) -> ReviewedSets:
    """Review the chosen rows with a reviewer that misses labels and, more rarely, sees some that are not there."""
    rng = np.random.default_rng(1000)
    gold = task.gold[chosen]
    wrong = rng.random(gold.shape) < np.where(gold == 1, 2.0 * error, 0.3 * error)
    return ReviewedSets(
        probs=task.probs[:, chosen],
        states=task.states[chosen],
        answers=np.where(wrong, 1 - gold, gold),
        truth=np.full(gold.shape, NOT_ASKED),
        sureness=np.full(len(chosen), np.nan),
        inclusion=np.ones(len(chosen)),
    )


LABELS = LabelSets(("common", "rarer", "rare"))
UNSAID = np.full(3000, np.nan)
"""A reviewer does not say how sure it is."""


def fit(rows: ReviewedSets) -> FittedWeighing:
    """Fit as a run does, from answers as codes."""
    codes = np.where((rows.answers == NOT_ASKED).all(axis=1), NOT_ASKED, rows.answers @ [1, 2, 4])
    known = np.where((rows.truth == NOT_ASKED).all(axis=1), NOT_ASKED, rows.truth @ [1, 2, 4])
    return fit_weighing(ReviewedRows(rows.probs, rows.states, codes, known, rows.sureness, rows.inclusion), LABELS)


def predict(fitted: FittedWeighing, task: Task, rows: slice | np.ndarray) -> np.ndarray:
    return fitted.weighing.predict(fitted.form_opinion(task.probs[:, rows], task.states[rows]))


def give(weighing: Weighing, probs: np.ndarray) -> np.ndarray:
    return LABELS.indicate(weighing.pick(probs), 3)


def macro_f1(given: np.ndarray, gold: np.ndarray) -> float:
    return float(f1_score(gold, given, average="macro", zero_division=0.0))


def test_each_label_is_a_problem_with_two_classes() -> None:
    task = make_task()
    rows = review(task, np.arange(TAUGHT))
    fitted = fit_sets(rows)
    alone = fit_vote(
        ReviewedRows(
            probs=split_label(rows.probs, 1),
            states=rows.states,
            answers=rows.answers[:, 1],
            truth=rows.truth[:, 1],
            sureness=rows.sureness,
            inclusion=rows.inclusion,
        )
    )
    np.testing.assert_array_equal(fitted.before[:, 1], alone.before[:, 1])
    np.testing.assert_array_equal(fitted.after[:, 1], alone.after[:, 1])


def test_labels_thresholds_beat_one_half_on_rows_that_nobody_reviewed() -> None:
    task, rest = make_task(), slice(TAUGHT, None)
    fitted = fit(review(task, np.arange(TAUGHT)))
    probs = predict(fitted, task, rest)
    own = macro_f1(give(fitted.weighing, probs), task.gold[rest])
    assert own > macro_f1(probs >= PLAIN_THRESHOLD, task.gold[rest]) + 0.01
    assert own > macro_f1(task.probs[:, rest].mean(axis=0) >= PLAIN_THRESHOLD, task.gold[rest]) + 0.05


def test_probabilities_are_calibrated_for_rare_labels_too() -> None:
    task, rest = make_task(rows=8000), slice(TAUGHT, None)
    fitted = fit(review(task, np.arange(TAUGHT)))
    probs = predict(fitted, task, rest)
    np.testing.assert_allclose(probs.mean(axis=0), task.gold[rest].mean(axis=0), atol=0.03)


def expected_f1(probs: np.ndarray, threshold: float) -> float:
    given = probs >= threshold
    return 2.0 * probs[given].sum() / (given.sum() + probs.sum())


@pytest.mark.parametrize(("a", "b"), [(0.5, 2.0), (0.2, 0.3), (2.0, 2.0)])
def test_no_threshold_on_calibrated_probabilities_is_better(a: float, b: float) -> None:
    probs = np.random.default_rng(0).beta(a, b, 20_000)
    threshold = choose_threshold(probs, probs, np.ones(len(probs)))
    best = max(expected_f1(probs, other) for other in np.linspace(0.01, 0.99, 197))
    assert expected_f1(probs, threshold) >= best - 1e-4
    assert threshold == pytest.approx(best / 2.0, abs=1e-3)


def test_a_label_that_nothing_tells_of_is_given_to_no_row() -> None:
    probs = np.full(500, 0.05)
    assert choose_threshold(probs, probs, np.ones(500)) == LEAST_THRESHOLD


def test_a_label_that_is_plain_to_see_has_one_half() -> None:
    probs = np.repeat([0.0, 1.0], 50)
    assert choose_threshold(probs, probs, np.ones(100)) == pytest.approx(0.5)


def test_a_row_counts_as_its_weight_says() -> None:
    rng = np.random.default_rng(0)
    before, after, times = rng.random(200), rng.random(200), rng.integers(1, 4, 200)
    repeated = choose_threshold(np.repeat(before, times), np.repeat(after, times), np.ones(times.sum()))
    assert choose_threshold(before, after, times.astype(np.float64)) == pytest.approx(repeated)


def test_few_reviews_leave_the_plain_vote_and_one_half() -> None:
    task = make_task()
    fitted = fit(review(task, np.arange(LEAST_TAUGHT - 1)))
    assert fitted.weighing.thresholds is not None
    assert set(fitted.weighing.thresholds) == {PLAIN_THRESHOLD}
    given = give(fitted.weighing, predict(fitted, task, slice(None)))
    assert (given == (task.probs.mean(axis=0) >= PLAIN_THRESHOLD)).all()


def test_a_set_is_right_where_every_label_is() -> None:
    weighing = replace(fit(review(make_task(), np.arange(50))).weighing, thresholds=np.full(3, 0.3))
    probs = np.array([[0.9, 0.25, 0.1], [0.3, 0.5, 0.0]])
    codes = weighing.pick(probs)
    assert [LABELS.decode(code) for code in codes.tolist()] == [("common",), ("common", "rarer")]
    np.testing.assert_allclose(LABELS.rate(probs, codes), [0.9 * 0.75 * 0.9, 0.3 * 0.5])


def test_confidence_is_how_often_whole_sets_are_right() -> None:
    task, rest = make_task(rows=8000), slice(TAUGHT, None)
    fitted = fit(review(task, np.arange(TAUGHT)))
    probs = predict(fitted, task, rest)
    right = (give(fitted.weighing, probs) == task.gold[rest]).all(axis=1)
    assert LABELS.rate(probs, fitted.weighing.pick(probs)).mean() == pytest.approx(right.mean(), abs=0.05)


def test_what_people_said_is_certain() -> None:
    task = make_task()
    rows = review(task, np.arange(400))
    truth = rows.truth.copy()
    truth[:100] = 1 - rows.answers[:100]
    after = fit_sets(replace(rows, truth=truth)).after
    np.testing.assert_array_equal(after[:100], truth[:100])


def test_a_reviews_value_is_the_sum_over_labels() -> None:
    task = make_task()
    fitted = fit(review(task, np.arange(TAUGHT)))
    plain = replace(fitted.weighing, thresholds=np.full(3, PLAIN_THRESHOLD))
    value = plain.expect_gains(fitted.form_opinion(task.probs, task.states))
    alone = [
        value_reviews(model, split_label(task.probs, label), task.states) for label, model in enumerate(fitted.votes)
    ]
    np.testing.assert_allclose(value, np.sum(alone, axis=0), atol=1e-12)


def test_a_reviewer_differs_where_it_differs_on_any_label() -> None:
    task = make_task()
    fitted = fit(review(task, np.arange(TAUGHT)))
    opinion = fitted.form_opinion(task.probs, task.states)
    said = review(task, np.arange(3000)).answers @ [1, 2, 4]
    differs = fitted.weighing.expect_differences(opinion)
    found = (fitted.weighing.pick(fitted.weighing.predict(opinion)) != said)[TAUGHT:]
    assert differs[TAUGHT:].mean() == pytest.approx(found.mean(), abs=0.05)
    surest = np.argsort(differs[TAUGHT:])[:500]
    assert found[surest].mean() < found.mean() / 2


def test_an_answer_moves_the_labels_towards_it_and_none_changes_nothing() -> None:
    task = make_task()
    fitted = fit(review(task, np.arange(TAUGHT)))
    opinion = fitted.form_opinion(task.probs, task.states)
    before = fitted.weighing.predict(opinion)
    unsaid = fitted.weighing.weigh_answers(opinion, np.full(len(opinion), NOT_ASKED), UNSAID)
    np.testing.assert_allclose(unsaid, before)
    after = fitted.weighing.weigh_answers(opinion, np.full(len(opinion), LABELS.encode(("common",))), UNSAID)
    assert (after[:, 0] >= before[:, 0]).all()
    assert (after[:, 1:] <= before[:, 1:]).all()


def test_a_record_decides_as_what_was_recorded() -> None:
    task = make_task()
    fitted = fit(review(task, np.arange(TAUGHT)))
    opinion, said = fitted.form_opinion(task.probs, task.states), np.arange(3000) % 8
    restored = restore_weighing(record_weighing(fitted, ("a", "b", "c")), LABELS)
    sure = np.where(said % 2, 0.9, np.nan)
    after = restored.weigh_answers(opinion, said, sure)
    np.testing.assert_array_equal(after, fitted.weighing.weigh_answers(opinion, said, sure))
    np.testing.assert_array_equal(restored.pick(after), fitted.weighing.pick(after))


def test_reviews_of_most_value_repair_more_than_a_random_choice() -> None:
    task, rest = make_task(), np.arange(TAUGHT, 3000)
    fitted = fit(review(task, np.arange(TAUGHT)))
    probs = predict(fitted, task, rest)
    given = give(fitted.weighing, probs)
    value = fitted.weighing.expect_gains(fitted.form_opinion(task.probs[:, rest], task.states[rest]))
    order = np.argsort(-value)[:300]
    drawn = np.random.default_rng(5).permutation(len(rest))[:300]
    repaired = [
        macro_f1(np.where(np.isin(np.arange(len(rest)), chosen)[:, None], task.gold[rest], given), task.gold[rest])
        for chosen in (order, drawn)
    ]
    assert repaired[0] > repaired[1] + 0.05


def test_a_lower_threshold_makes_a_missed_label_dearer() -> None:
    """Of a label at its threshold, either decision costs the same; so that is where a review is worth most."""
    task = make_task()
    fitted = fit(review(task, np.arange(TAUGHT)))
    opinion = fitted.form_opinion(task.probs, task.states)
    rare = Weighing(LabelSets(("rare",)), fitted.weighing.combinations[2:], 0.0, np.array([0.2]))
    probs, value = rare.predict(opinion[:, 8:])[:, 0], rare.expect_gains(opinion[:, 8:])
    assert probs[value.argmax()] == pytest.approx(0.2, abs=0.06)
