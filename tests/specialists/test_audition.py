"""Who passes the audition, and what a vote counts."""

import numpy as np
import pytest

from records.candidate import MapVerdict
from specialists.audition import LEAST_WEIGHT, AuditionScore, score_candidates, take_votes_of_others, weigh_accuracy

GOOD = MapVerdict(status="verified", proposed={}, found={}, margin=0.8, reason="fine")
BAD = MapVerdict(status="unverified", proposed={}, found={}, margin=0.0, reason="LABEL_0 and LABEL_1 look alike")


def make_probs(*own: np.ndarray, n_labels: int = 2) -> np.ndarray:
    """Return (n_candidates, n_rows, n_labels): each candidate 80 % sure of its labels."""
    return np.eye(n_labels)[np.stack(own)] * (0.8 - 0.2 / (n_labels - 1)) + 0.2 / (n_labels - 1)


def err(truth: np.ndarray, share: float, seed: int, n_labels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(truth)) < share, (truth + rng.integers(1, n_labels, len(truth))) % n_labels, truth)


def score(probs: np.ndarray, truth: np.ndarray | None, maps: list[MapVerdict] | None = None) -> list[AuditionScore]:
    return list(score_candidates(probs, truth, np.ones(probs.shape[1]), maps or [GOOD] * len(probs)))


TRUTH = np.arange(200) % 2


def test_one_that_reads_its_labels_backwards_and_one_that_guesses_fail() -> None:
    probs = make_probs(err(TRUTH, 0.15, 0), 1 - err(TRUTH, 0.15, 1), err(TRUTH, 0.5, 3))
    scores = score(probs, TRUTH)
    assert [one.passed for one in scores] == [True, False, False]
    assert "no better than chance (50%)" in scores[1].reason
    assert [one.weight > 0 for one in scores] == [True, False, False]
    assert scores[0].accuracy == pytest.approx(0.85, abs=0.05)
    assert scores[0].accuracy_error == pytest.approx(0.026, abs=0.005)


def test_a_constant_candidate_fails_even_where_its_label_is_common() -> None:
    skewed = (np.arange(200) < 20).astype(int)
    scores = score(make_probs(np.zeros(200, dtype=int), err(skewed, 0.1, 0)), skewed)
    assert [one.passed for one in scores] == [False, True]
    assert scores[0].accuracy == 0.5
    assert scores[0].label_shares.tolist() == [1, 0]


def test_a_model_of_two_labels_is_judged_over_all_three() -> None:
    three = np.arange(210) % 3
    two = np.where(three == 2, np.arange(210) % 2, err(three, 0.0, 0, 3))
    scores = score(make_probs(two, n_labels=3), three)
    assert scores[0].accuracy == pytest.approx(2 / 3)
    assert scores[0].passed
    assert not score(make_probs(np.zeros(210, dtype=int), n_labels=3), three)[0].passed


def test_an_unverified_map_fails_and_has_no_part_in_the_others_vote() -> None:
    wrong = 1 - TRUTH
    probs = make_probs(err(TRUTH, 0.1, 0), err(TRUTH, 0.1, 1), wrong, wrong, wrong)
    scores = score(probs, None, [GOOD, GOOD, BAD, BAD, BAD])
    assert [one.passed for one in scores] == [True, True, False, False, False]
    assert "unverified: LABEL_0 and LABEL_1 look alike" in scores[2].reason
    assert not score(probs, None)[0].passed, "with them the wrong would be the consensus"


def test_against_consensus_nobody_is_held_against_itself() -> None:
    guess = err(TRUTH, 0.5, 11)
    scores = score(make_probs(err(TRUTH, 0.1, 0), err(TRUTH, 0.1, 1), err(TRUTH, 0.1, 2), guess), None)
    assert [one.passed for one in scores] == [True, True, True, False]
    assert scores[0].accuracy == scores[0].agreement
    assert "agrees with the others on" in scores[0].reason


def test_one_alone_has_nobody_to_be_held_against() -> None:
    (only,) = score(make_probs(TRUTH), None)
    assert (only.passed, only.agreement, only.reason) == (True, 1.0, "has nobody to be held against")
    assert not score(make_probs(TRUTH), None, [BAD])[0].passed
    assert not score(make_probs(1 - TRUTH), TRUTH)[0].passed, "the truth is still there to be held against"


def test_candidates_that_all_see_one_label_pass_and_a_contrary_one_does_not() -> None:
    zeros = np.zeros(40, dtype=int)
    scores = score(make_probs(zeros, zeros, zeros, zeros + 1), None)
    assert [one.passed for one in scores] == [True, True, True, False]


@pytest.mark.parametrize("rows", [0, 1, 19])
def test_few_rows_prove_nothing_against_a_candidate(rows: int) -> None:
    truth = np.arange(rows) % 2
    scores = score(make_probs(truth, 1 - truth), truth)
    assert all(one.passed for one in scores)
    assert f"cannot be judged by {rows} rows" in scores[1].reason
    assert all(np.isfinite([one.accuracy, one.accuracy_error, one.agreement, one.weight]).all() for one in scores)


def test_figures_undo_how_the_rows_were_drawn() -> None:
    own, weights = np.where(np.arange(200) < 100, TRUTH, 1 - TRUTH), np.where(np.arange(200) < 100, 9.0, 1.0)
    (only,) = score_candidates(make_probs(own), TRUTH, weights, [GOOD])
    assert only.accuracy == pytest.approx(0.9)
    (only,) = score_candidates(make_probs(np.arange(200) // 100), TRUTH, weights, [GOOD])
    assert only.label_shares == pytest.approx([0.9, 0.1])


def test_the_others_vote_leaves_out_oneself_and_those_without_a_vote() -> None:
    probs = make_probs(np.array([0]), np.array([1]), np.array([1]))
    assert take_votes_of_others(probs, np.array([True, True, False])).tolist() == [[1], [0], [0]]
    assert take_votes_of_others(probs, np.array([False, True, False])).tolist() == [[1], [1], [1]]


def test_weights_grow_with_accuracy_and_rows_and_stay_finite() -> None:
    weights = weigh_accuracy(np.array([0.5, 0.6, 0.8, 0.9, 1.0]), 200, 2)
    assert (np.diff(weights) > 0).all()
    assert weights[0] == LEAST_WEIGHT
    assert 3 < weights[-1] < 5
    assert weigh_accuracy(np.array([1.0]), 5, 2)[0] < 1
    assert weigh_accuracy(np.array([0.3]), 5, 3)[0] == LEAST_WEIGHT
    assert weigh_accuracy(np.array([0.8]), 10**6, 2)[0] == pytest.approx(np.log(4), abs=1e-3)
