"""What is learned of each specialist, on made-up specialists whose faults are known."""

import numpy as np
import pytest
from scipy.special import softmax

from specialists.calibration import PRIOR_ACCURACY, Calibration, estimate_confusion, fit_calibration

ROWS, LABELS = 4000, 3


def make_specialists(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return three specialists' log-probabilities, calibrated and independent, and the labels."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, LABELS, ROWS)
    evidence = 1.5 * np.eye(LABELS)[gold] + rng.normal(size=(3, ROWS, LABELS)) * np.sqrt(1.5)
    return evidence, gold


def test_an_overconfident_specialist_is_toned_down() -> None:
    logits, gold = make_specialists()
    probs = softmax(logits * np.array([3.0, 1.0, 1.0])[:, None, None], axis=2)
    fitted = fit_calibration(probs, np.eye(LABELS)[gold], np.ones(ROWS))
    assert fitted.slope[0] < 0.7 * fitted.slope[1:].min()
    assert fitted.slope[0] < 0.6


def test_a_specialist_that_leans_to_a_label_is_set_right() -> None:
    logits, gold = make_specialists()
    logits[1, :, 2] += 1.5
    probs = softmax(logits, axis=2)
    fitted = fit_calibration(probs, np.eye(LABELS)[gold], np.ones(ROWS))
    assert fitted.bias[1, 2] < -0.5
    assert np.abs(fitted.bias[[0, 2], 2]).max() < 0.3
    right = [(one.argmax(axis=1) == gold).mean() for one in (fitted.calibrate(probs)[1], probs[1])]
    assert right[0] > right[1] + 0.02


def test_less_is_moved_where_less_is_known() -> None:
    logits, gold = make_specialists()
    probs = softmax(3.0 * logits, axis=2)
    few, many = (fit_calibration(probs[:, :n], np.eye(LABELS)[gold[:n]], np.ones(n)).slope for n in (40, ROWS))
    assert (many < few).all()
    assert (few < 1.0).all()
    assert few.mean() > many.mean() + 0.1


def test_without_rows_nothing_is_changed() -> None:
    probs = softmax(make_specialists()[0], axis=2)
    fitted = fit_calibration(probs[:, :0], np.zeros((0, LABELS)), np.zeros(0))
    assert fitted.slope == pytest.approx(np.ones(3))
    assert fitted.bias == pytest.approx(np.zeros((3, LABELS)))
    above = np.maximum(probs, 1e-4)
    np.testing.assert_allclose(fitted.calibrate(probs), above / above.sum(axis=2, keepdims=True))
    np.testing.assert_allclose(fitted.pool(probs), fitted.calibrate(probs).mean(axis=0))


def test_calibrated_probabilities_are_those_of_vector_scaling() -> None:
    probs = softmax(make_specialists()[0][:, :5], axis=2)
    one = Calibration(np.array([0.5, 1.0, 2.0]), np.arange(9.0).reshape(3, 3) / 10.0)
    wanted = np.maximum(probs[2], 1e-4) ** 2.0 * np.exp(one.bias[2])
    np.testing.assert_allclose(one.calibrate(probs)[2], wanted / wanted.sum(axis=1, keepdims=True))


def test_a_confusion_matrix_undoes_the_choice_of_rows() -> None:
    """Rows that the specialist gets wrong are reviewed ten times as often."""
    logits, gold = make_specialists()
    probs = softmax(logits[:1], axis=2)
    own = probs[0].argmax(axis=1)
    odds = np.where(own == gold, 0.1, 1.0)
    chosen = np.random.default_rng(1).random(ROWS) < odds
    truth = np.array([[(own[gold == i] == j).mean() for j in range(LABELS)] for i in range(LABELS)])
    belief = np.eye(LABELS)[gold[chosen]]
    weighed = estimate_confusion(probs[:, chosen], belief, 1.0 / odds[chosen])[0]
    plain = estimate_confusion(probs[:, chosen], belief, np.ones(int(chosen.sum())))[0]
    np.testing.assert_allclose(weighed, truth, atol=0.05)
    assert np.abs(plain - truth).max() > 0.2


def test_before_any_row_a_specialist_is_moderately_good() -> None:
    prior = estimate_confusion(np.ones((2, 0, 3)) / 3, np.zeros((0, 3)), np.zeros(0))
    np.testing.assert_allclose(prior.sum(axis=2), 1.0)
    np.testing.assert_allclose(prior[:, range(3), range(3)], PRIOR_ACCURACY)
