"""The choice of the ensemble, by complement and by cost."""

import time
from collections.abc import Iterable

import numpy as np
import pytest

from specialists.ensemble import FOLDS, Ensemble, choose_ensemble, draw_folds


def make_probs(own: np.ndarray, n_labels: int = 2, sure: float = 0.8) -> np.ndarray:
    """Return (n_candidates, n_rows, n_labels): each candidate `sure` of its labels."""
    rest = (1 - sure) / (n_labels - 1)
    return np.eye(n_labels)[own] * (sure - rest) + rest


def choose(
    probs: np.ndarray,
    truth: np.ndarray | None,
    *,
    prices: list[float] | None = None,
    prior: list[float] | None = None,
    eligible: list[bool] | None = None,
    size: int = 3,
    weights: np.ndarray | None = None,
) -> Ensemble:
    many = len(probs)
    return choose_ensemble(
        probs,
        truth,
        np.ones(probs.shape[1]) if weights is None else weights,
        prices=np.array(prices or [1e9] * many),
        prior=np.array(prior or [0.8] * many),
        eligible=np.array(eligible or [True] * many),
        size=size,
        seed=0,
    )


ROWS = 200
TRUTH = np.arange(ROWS) % 2


def err_on(*parts: Iterable[int]) -> np.ndarray:
    """Return (n_candidates, ROWS) labels, each candidate wrong on the rows of its part only."""
    own = np.tile(TRUTH, (len(parts), 1))
    for k, part in enumerate(parts):
        own[k, list(part)] = 1 - own[k, list(part)]
    return own


def test_three_good_ones_that_err_alike_lose_to_those_that_complement() -> None:
    alike = range(20)
    own = err_on(alike, alike, alike, range(20, 50), range(50, 80), range(80, 110))
    chosen = choose(make_probs(own), TRUTH)
    assert len(set(chosen.members) & {0, 1, 2}) <= 1
    assert chosen.accuracy == 1.0
    assert "that of the best alone on 90.0%" in chosen.reason


def test_a_tenfold_dearer_one_must_be_worth_a_point() -> None:
    prices = [1e10, 1e9, 1e9, 1e9]
    equal = err_on(range(60, 80), range(20, 40), range(40, 60), range(60, 80))
    assert set(choose(make_probs(equal), TRUTH).members) == {0, 1, 2}
    assert set(choose(make_probs(equal), TRUTH, prices=prices).members) == {1, 2, 3}
    better = err_on(range(60, 80), range(40), range(20, 60), [*range(20), *range(40, 60)])
    assert 0 in choose(make_probs(better), TRUTH, prices=prices).members


@pytest.mark.parametrize(("gain", "earned"), [(3, True), (1, False)])
def test_a_point_is_what_ten_times_the_work_must_earn(gain: int, earned: bool) -> None:
    own = err_on(range(20), range(20 - gain))
    assert (choose(make_probs(own), TRUTH, prices=[1e8, 1e9], size=1).members == (1,)) is earned


def test_each_fold_has_its_part_of_every_label() -> None:
    target = np.repeat([0, 1, 2], [40, 10, 5])
    folds = draw_folds(target, np.random.default_rng(0))
    counts = np.array([np.bincount(folds[target == label], minlength=FOLDS) for label in range(3)])
    assert counts.tolist() == [[8] * 5, [2] * 5, [1] * 5]
    assert folds.tolist() != draw_folds(target, np.random.default_rng(1)).tolist()


def test_of_equals_the_prior_decides_and_then_the_order() -> None:
    own = err_on(range(20), range(20), range(20))
    assert choose(make_probs(own), TRUTH, size=1, prior=[0.5, 0.9, 0.7]).members == (1,)
    assert choose(make_probs(own), TRUTH, size=1).members == (0,)


def test_only_the_eligible_are_chosen_and_fewer_where_they_are_fewer() -> None:
    own = err_on(range(0), range(20), range(20, 60), range(0))
    chosen = choose(make_probs(own), TRUTH, eligible=[False, True, True, False])
    assert chosen.members == (1, 2)
    assert chosen.weights.sum() == pytest.approx(1)
    assert chosen.weights[0] > chosen.weights[1]
    with pytest.raises(ValueError, match="no candidate is eligible"):
        choose(make_probs(own), TRUTH, eligible=[False] * 4)


def test_the_vote_is_weighted_by_accuracy() -> None:
    own = err_on(range(4), range(20, 110), range(30, 120))
    chosen = choose(make_probs(own), TRUTH)
    assert chosen.members[0] == 0
    assert chosen.weights[0] > 0.8
    assert chosen.accuracy == pytest.approx(0.98), "two poor ones that err alike do not outvote a good one"


def test_rows_count_for_what_they_stand_for() -> None:
    own = err_on(range(20), range(20, 60))
    weights = np.where(np.arange(ROWS) < 20, 10.0, 1.0)
    assert choose(make_probs(own), TRUTH, size=1).members == (0,)
    assert choose(make_probs(own), TRUTH, size=1, weights=weights).members == (1,)


def test_the_accuracy_is_that_of_rows_not_seen() -> None:
    rng = np.random.default_rng(5)
    truth, own = rng.integers(0, 2, ROWS), rng.integers(0, 2, (12, ROWS))
    chosen = choose(make_probs(own), truth, size=3)
    whole = np.average(make_probs(own)[list(chosen.members)], axis=0, weights=chosen.weights).argmax(axis=1)
    assert chosen.accuracy <= np.mean(whole == truth)


def test_against_consensus_the_prior_outweighs_being_alike() -> None:
    alike = range(20)
    own = err_on(alike, alike, alike, range(20, 40), range(40, 60), range(60, 80))
    even = choose(make_probs(own), None)
    assert set(even.members) == {0, 1, 2}, "the bias: models that are alike agree the most"
    told = choose(make_probs(own), None, prior=[0.5, 0.5, 0.5, 0.9, 0.9, 0.9])
    assert set(told.members) == {3, 4, 5}


def test_against_consensus_a_prior_does_not_carry_one_that_disagrees_with_all() -> None:
    own = err_on(range(20), range(20, 40), range(40, 60), range(100, 180))
    chosen = choose(make_probs(own), None, prior=[0.7, 0.7, 0.7, 0.9])
    assert 3 not in chosen.members


def test_few_rows_leave_the_choice_to_the_prior() -> None:
    own = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]])
    chosen = choose(make_probs(own), own[0], prior=[0.2, 0.9, 0.8], size=2)
    assert set(chosen.members) == {1, 2}
    assert "4 rows cannot judge" in chosen.reason
    for rows in (0, 1):
        few = choose(make_probs(own[:, :rows]), own[0, :rows], size=2)
        assert few.weights.sum() == pytest.approx(1)


def test_work_that_nobody_knows_is_no_error() -> None:
    assert np.isfinite(choose(make_probs(err_on(range(20), range(20))), TRUTH, prices=[0.0, 0.0]).value)


def make_crowd(many: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, ROWS)
    right = rng.random((many, ROWS)) < rng.uniform(0.6, 0.9, many)[:, None]
    own = np.where(right, truth, (truth + rng.integers(1, 3, (many, ROWS))) % 3)
    return make_probs(own, n_labels=3, sure=0.7), truth


def test_too_many_for_all_ensembles_are_searched_stepwise_and_nearly_as_well() -> None:
    probs, truth = make_crowd(18, 1)
    stepwise = choose(probs, truth, size=4)
    strongest = np.argsort(-(probs.argmax(axis=2) == truth).mean(axis=1))[:11]
    every = choose(probs, truth, size=4, eligible=[k in strongest for k in range(18)])
    assert stepwise.value >= every.value - 0.005
    assert stepwise.members == choose(probs, truth, size=4).members


@pytest.mark.parametrize(("many", "size", "seconds"), [(8, 3, 1.0), (12, 5, 5.0)])
def test_the_search_is_fast(many: int, size: int, seconds: float) -> None:
    probs, truth = make_crowd(many, 0)
    start = time.process_time()
    first = choose(probs, truth, size=size)
    assert time.process_time() - start < seconds
    assert first.members == choose(probs, truth, size=size).members
