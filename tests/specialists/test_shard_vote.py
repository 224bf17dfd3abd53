"""Votes by shards are those of the whole."""

import numpy as np
from scipy.special import softmax

from specialists.shard_vote import SHARD_ROWS, combine_calibrated, cut_shards, name_votes


def test_shards_cover_every_row_once() -> None:
    for rows in (0, 1, SHARD_ROWS, 2 * SHARD_ROWS + 5):
        covered = np.concatenate([np.arange(rows)[shard] for shard in cut_shards(rows)] or [np.zeros(0)])
        assert (covered == np.arange(rows)).all()


def test_the_calibrated_combination_is_vector_scaling() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), (2, SHARD_ROWS + 10)).astype(np.float32)
    matrices, bias = rng.normal(size=(2, 3, 3)).astype(np.float32), np.array([0.1, 0.0, -0.2], dtype=np.float32)
    label, confidence = combine_calibrated(probs, matrices, bias)
    logits = sum(np.log(np.maximum(probs[k], 0.01)) @ matrices[k] for k in range(2)) + bias
    expected = softmax(logits, axis=1)
    np.testing.assert_allclose(confidence, expected.max(axis=1), rtol=1e-4)
    assert (label == expected.argmax(axis=1)).mean() > 0.9999


def test_each_specialist_votes_for_its_likeliest_label() -> None:
    probs = np.random.default_rng(1).dirichlet(np.ones(4), (3, 100)).astype(np.float32)
    assert (name_votes(probs) == probs.argmax(axis=2)).all()
