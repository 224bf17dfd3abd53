"""The probe's estimates, held against populations whose figures are known."""

import numpy as np
import pytest

from specialists.probe import (
    LEAST_PER_STRATUM,
    draw_pool,
    draw_probe,
    estimate_accuracy,
    estimate_balanced_accuracy,
    estimate_mean,
)

ROWS, POOL, SIZE = 3000, 800, 200


def make_population() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lengths, two candidates' labels (2, n) and the truth: the candidates err more where they disagree."""
    rng = np.random.default_rng(7)
    lengths, truth = rng.integers(1, 300, ROWS), rng.integers(0, 2, ROWS)
    hard = rng.random(ROWS) < 0.25
    right = rng.random((2, ROWS)) < np.where(hard, 0.55, 0.97)
    return lengths, np.where(right, truth, 1 - truth), truth


def test_the_pool_is_drawn_without_replacement() -> None:
    assert draw_pool(5, 10, 0).tolist() == [0, 1, 2, 3, 4]
    pool = draw_pool(1000, 200, 3)
    assert len(np.unique(pool)) == 200
    assert (np.diff(pool) > 0).all()
    assert (pool == draw_pool(1000, 200, 3)).all()


def test_a_small_pool_is_taken_whole() -> None:
    probe = draw_probe(np.array([3, 1, 2]), np.array([[0, 1, 0]]), 6, 5, 0)
    assert probe.positions.tolist() == [0, 1, 2]
    assert probe.inclusion.tolist() == [0.5, 0.5, 0.5]
    assert probe.weights.tolist() == [2, 2, 2]


def test_the_weighted_estimate_is_unbiased_and_the_plain_mean_is_not() -> None:
    lengths, own, truth = make_population()
    weighted, plain, sizes = [], [], []
    for seed in range(400):
        pool = draw_pool(ROWS, POOL, seed)
        probe = draw_probe(lengths[pool], own[:, pool], ROWS, SIZE, seed)
        rows = pool[probe.positions]
        weighted.append(estimate_accuracy(own[0, rows], truth[rows], probe.weights).value)
        plain.append(float(np.mean(own[0, rows] == truth[rows])))
        sizes.append(probe.weights.sum())
    true = float(np.mean(own[0] == truth))
    noise = float(np.std(weighted)) / np.sqrt(400)
    assert abs(np.mean(weighted) - true) < 4 * noise
    assert np.mean(sizes) == pytest.approx(ROWS), "the weights add up to the input"
    assert abs(np.mean(plain) - true) > 0.03


def test_the_error_is_about_what_repeated_probes_vary_by() -> None:
    lengths, own, truth = make_population()
    estimates = []
    for seed in range(300):
        pool = draw_pool(ROWS, POOL, seed)
        probe = draw_probe(lengths[pool], own[:, pool], ROWS, SIZE, seed)
        rows = pool[probe.positions]
        estimates.append(estimate_balanced_accuracy(own[0, rows], truth[rows], probe.weights))
    spread = float(np.std([one.value for one in estimates]))
    stated = float(np.mean([one.error for one in estimates]))
    assert 0.95 * spread < stated < 1.5 * spread


def test_disputed_rows_are_drawn_more_often_and_every_stratum_is_seen() -> None:
    lengths = np.concatenate([np.full(500, 10), np.full(290, 100), np.full(10, 1000)])
    own = np.zeros((2, 800), dtype=np.int64)
    own[1, 400:420] = 1
    own[1, 795:] = 1
    probe = draw_probe(lengths, own, 800, 100, 0)
    disputed = own[1, probe.positions] == 1
    assert len(probe.positions) == len(np.unique(probe.positions)) == 100
    assert disputed.sum() >= 2 * LEAST_PER_STRATUM
    assert probe.inclusion[disputed].min() > 2 * probe.inclusion[~disputed].min()
    assert probe.inclusion.max() <= 1
    assert (np.diff(probe.positions) > 0).all()


def test_a_probe_smaller_than_the_strata_are_many_leaves_no_row_without_a_chance() -> None:
    own = np.array([[0, 1] * 20, [0] * 40])
    seen = {int(row) for seed in range(200) for row in draw_probe(np.arange(40), own, 40, 3, seed).positions}
    assert seen == set(range(40))


def test_the_same_seed_draws_the_same_probe() -> None:
    lengths, own, _ = make_population()
    one, two, other = (draw_probe(lengths, own, ROWS, SIZE, seed) for seed in (1, 1, 2))
    assert one.positions.tolist() == two.positions.tolist() != other.positions.tolist()


def test_few_rows_that_are_all_alike_are_not_certain() -> None:
    few, many = (estimate_mean(np.ones(n), np.ones(n)) for n in (3, 300))
    assert few.value == many.value == 1
    assert few.error > 0.1 > 10 * many.error > 0
    assert estimate_mean(np.ones(0), np.ones(0)).value == 0.5
    assert estimate_mean(np.ones(0), np.ones(0), low=-1.0).error == 1


def test_balanced_accuracy_counts_each_label_of_the_truth_once() -> None:
    truth = np.array([0] * 9 + [1])
    assert estimate_balanced_accuracy(np.zeros(10, dtype=np.int64), truth, np.ones(10)).value == pytest.approx(0.5)
    weights = np.array([1.0, 3.0, 1.0])
    own, truth = np.array([0, 1, 2]), np.array([0, 0, 2])
    assert estimate_balanced_accuracy(own, truth, weights).value == pytest.approx((0.25 + 1) / 2)
    assert estimate_accuracy(own, truth, weights).value == pytest.approx(2 / 5)
