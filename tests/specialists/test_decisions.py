"""The decision core on small arrays whose right answers can be counted by hand."""

import numpy as np
import pytest

from specialists.consensus import LEAST_ROWS, TooLittleConsensusError, predict_from_consensus
from specialists.learning import LEAST_GATE_ROWS, choose_replay, decide_promotion, split_for_gate
from specialists.risk import choose_riskiest, draw_spot_check, estimate_risk
from specialists.vote import take_soft_vote


def as_probs(*specialists: list[float]) -> np.ndarray:
    """Return (n_specialists, n_rows, 2) from each specialist's probability of label 1."""
    ones = np.array(specialists)
    return np.stack([1 - ones, ones], axis=2)


def test_the_vote_is_the_mean_and_the_agreement_is_counted() -> None:
    vote = take_soft_vote(as_probs([0.9, 0.6, 0.2], [0.8, 0.4, 0.4], [0.7, 0.3, 0.96]))
    assert vote.label.tolist() == [1, 0, 1]
    assert vote.confidence == pytest.approx([0.8, 1 - 1.3 / 3, 0.52])
    assert vote.agreement == pytest.approx([1, 2 / 3, 1 / 3])
    assert vote.unanimous.tolist() == [True, False, False]


def test_a_tie_goes_to_the_first_label() -> None:
    assert take_soft_vote(as_probs([0.25], [0.75])).label.tolist() == [0]


def test_risk_is_what_the_vote_is_not_sure_of() -> None:
    assert estimate_risk(take_soft_vote(as_probs([0.9, 0.5]))) == pytest.approx([0.1, 0.5])


def test_disputed_rows_come_first_and_then_unsure_ones() -> None:
    agreement, risk = np.array([1, 0.5, 1, 0.5, 1]), np.array([0.49, 0.1, 0.2, 0.3, 0.3])
    everything = np.ones(5, dtype=np.bool_)
    assert choose_riskiest(agreement, risk, everything, 5).tolist() == [3, 1, 0, 4, 2]
    assert choose_riskiest(agreement, risk, everything, 2).tolist() == [3, 1]
    assert choose_riskiest(agreement, risk, np.array([True, True, True, False, True]), 2).tolist() == [1, 0]


def test_the_spot_check_is_uniform_over_the_rows_it_may_see() -> None:
    eligible = np.arange(100) >= 50
    drawn = np.concatenate([draw_spot_check(eligible, 0.02, seed) for seed in range(2000)])
    assert drawn.min() >= 50
    counts = np.bincount(drawn, minlength=100)[50:]
    assert counts.sum() == 4000
    assert counts.min() > 40, "each of 50 rows is drawn 80 times in 4,000"
    assert counts.max() < 130


def test_the_spot_check_sees_at_least_one_row_and_none_where_there_is_none() -> None:
    assert len(draw_spot_check(np.ones(5, dtype=np.bool_), 0.02, 0)) == 1
    assert len(draw_spot_check(np.zeros(5, dtype=np.bool_), 0.02, 0)) == 0


def make_clusters(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    labels = np.arange(rows) % 2
    return (rng.normal(size=(rows, 6)) + 3 * labels[:, None]).astype(np.float32), labels


def test_the_consensus_decides_where_the_vote_cannot() -> None:
    features, labels = make_clusters(80)
    probs = predict_from_consensus(
        features, labels, np.array([[0.0] * 6, [3.0] * 6], dtype=np.float32), np.full((2, 2), 0.5)
    )
    assert probs.argmax(axis=1).tolist() == [0, 1]
    assert probs.sum(axis=1) == pytest.approx([1, 1])


def test_a_sure_vote_is_not_overruled_by_a_doubtful_consensus() -> None:
    features, labels = make_clusters(80)
    between = np.full((1, 6), 1.6, dtype=np.float32)
    assert predict_from_consensus(features, labels, between, np.array([[0.99, 0.01]])).argmax() == 0


def test_too_little_consensus_is_an_error() -> None:
    features, labels = make_clusters(LEAST_ROWS)
    vote = np.full((1, 2), 0.5)
    with pytest.raises(TooLittleConsensusError):
        predict_from_consensus(features[1:], labels[1:], features[:1], vote)
    with pytest.raises(TooLittleConsensusError):
        predict_from_consensus(features, np.zeros_like(labels), features[:1], vote)


def test_the_replay_is_the_surest_rows_of_each_label() -> None:
    label, confidence = np.array([0, 0, 0, 0, 1, 1]), np.array([0.6, 0.9, 0.8, 0.7, 0.5, 0.6])
    assert choose_replay(label, confidence, 4).tolist() == [1, 2, 4, 5]
    assert choose_replay(label[:4], confidence[:4], 2).tolist() == [1, 2]
    assert choose_replay(label[:0], confidence[:0], 2).tolist() == []


def test_the_rows_of_the_gate_are_a_fixed_share() -> None:
    assert split_for_gate(10, 0.3, 0).sum() == 3
    assert (split_for_gate(10, 0.3, 0) == split_for_gate(10, 0.3, 0)).all()


TRUTH = np.array([0, 0, 1, 1, 0, 0, 1, 0])
REPLAYED = np.array([False] * 6 + [True, True])


@pytest.mark.parametrize(
    ("before", "after", "promoted"),
    [
        ([1, 1, 1, 1, 0, 0, 1, 0], [0, 1, 1, 1, 0, 0, 1, 0], True),
        ([0, 1, 1, 1, 0, 0, 1, 0], [0, 1, 1, 1, 0, 0, 1, 0], False),
        ([0, 1, 1, 1, 0, 0, 1, 0], [1, 1, 1, 1, 0, 0, 1, 0], False),
        ([1, 1, 0, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0, 1, 1], False),
    ],
    ids=["better", "the same", "worse", "better, but forgets"],
)
def test_only_a_gain_without_forgetting_is_promoted(before: list[int], after: list[int], promoted: bool) -> None:
    verdict = decide_promotion(np.array(before), np.array(after), TRUTH, REPLAYED)
    assert verdict.promoted is promoted
    assert verdict.reason


def test_nothing_is_promoted_on_too_few_rows() -> None:
    for rows in (0, LEAST_GATE_ROWS - 1):
        truth = np.zeros(rows, dtype=np.int64)
        verdict = decide_promotion(1 - truth, truth, truth, np.zeros(rows, dtype=np.bool_))
        assert not verdict.promoted
        assert "too few" in verdict.reason
