"""Dawid and Skene's model, held against a truth that is known and against EM over single rows."""

import numpy as np

from specialists.dawid_skene import find_patterns, fit_dawid_skene
from specialists.vote import take_majority


def draw(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return votes, the truth, and each specialist's accuracy."""
    rng = np.random.default_rng(0)
    truth, right = rng.choice(3, rows, p=[0.5, 0.3, 0.2]), np.array([0.9, 0.75, 0.6, 0.55, 0.5])
    wrong = (truth + rng.integers(1, 3, (5, rows))) % 3
    return np.where(rng.random((5, rows)) < right[:, None], truth, wrong), truth, right


def test_it_beats_the_majority_and_finds_each_specialists_accuracy() -> None:
    votes, truth, right = draw()
    model = fit_dawid_skene(votes, 3)
    found = (model.weigh(votes).argmax(axis=1) == truth).mean()
    assert found > (take_majority(votes, 3) == truth).mean() + 0.02
    accuracies = np.einsum("l,kll->k", model.prior, model.confusion)
    np.testing.assert_allclose(accuracies, right, atol=0.04)


def test_patterns_give_every_row_back() -> None:
    votes, _, _ = draw(500)
    for n_labels in (3, 40, 5000, 10**5):
        patterns, place = find_patterns(votes, n_labels)
        assert patterns.shape[1] <= 243
        assert (patterns[:, place] == votes).all()


def test_rows_with_the_same_votes_have_the_same_probabilities() -> None:
    votes = np.array([[0, 1, 0], [0, 1, 0]])
    probs = fit_dawid_skene(votes, 2).weigh(votes)
    assert (probs[0] == probs[2]).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)


def test_a_tie_goes_to_the_first_label() -> None:
    assert take_majority(np.array([[2, 1], [1, 1], [0, 2]]), 3).tolist() == [0, 1]


def test_a_stage_without_rows_has_no_labels() -> None:
    votes = np.zeros((3, 0), dtype=np.int64)
    assert fit_dawid_skene(votes, 2).weigh(votes).shape == (0, 2)
