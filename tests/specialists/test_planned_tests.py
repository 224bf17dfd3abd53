"""The tests at planned sizes, held against all samples of a small population."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import hypergeom

from specialists.planned_tests import PlannedTests, plan_tests, value_stake

ROWS, NULL, ERROR = 11, 5, 0.3
SHARES = np.array([0.3, 0.7])


def make() -> PlannedTests:
    return plan_tests(np.array([ROWS]), np.array([NULL]), np.array([[4, 7]]), SHARES, ERROR)


def find_worths(tests: PlannedTests, differs: np.ndarray) -> np.ndarray:
    """Return the worth after each draw (n_draws + 1,)."""
    wrong = np.concatenate([[0], np.cumsum(differs)])
    drawn = np.arange(len(differs) + 1)
    rejected = np.array([[wrong[size] <= c for size, c in zip(tests.sizes[0], tests.critical[0], strict=True)]])
    return value_stake(tests, wrong[:, None], drawn[:, None], rejected)[:, 0]


def list_samples(total: int) -> list[np.ndarray]:
    return [np.isin(np.arange(ROWS), one) for one in combinations(range(ROWS), total)]


def test_critical_counts_are_the_largest_that_keep_the_error() -> None:
    tests = make()
    for size, critical, share in zip(tests.sizes[0], tests.critical[0], SHARES, strict=True):
        assert (
            hypergeom.cdf(critical, ROWS, NULL, size) <= ERROR * share < hypergeom.cdf(critical + 1, ROWS, NULL, size)
        )


def test_the_stake_begins_at_one_and_is_fair_under_the_null() -> None:
    worths = np.stack([find_worths(make(), one) for one in list_samples(NULL)])
    finite = np.where(np.isinf(worths), 0, worths)
    assert worths[:, 0] == pytest.approx(1)
    assert finite.mean(axis=0) == pytest.approx(1), "on average over all samples, at every look"


@pytest.mark.parametrize("total", [NULL, NULL + 1, NULL + 3])
def test_too_many_differing_rows_pass_with_a_small_probability_only(total: int) -> None:
    passed = [find_worths(make(), one).max() >= 1 / ERROR for one in list_samples(total)]
    assert len(passed) == comb(ROWS, total)
    assert np.mean(passed) <= ERROR


def test_few_differing_rows_pass_mostly() -> None:
    passed = [find_worths(make(), one).max() >= 1 / ERROR for one in list_samples(1)]
    assert np.mean(passed) > 0.5


def test_a_null_of_more_rows_than_there_are_needs_no_test() -> None:
    tests = plan_tests(np.array([3, 0]), np.array([4, 1]), np.array([[1, 2], [0, 0]]), SHARES, ERROR)
    assert (tests.critical == -1).all()
    assert (tests.payments == 0).all()


def test_what_is_impossible_under_the_null_is_worth_everything() -> None:
    tests = make()
    drawn = np.array([[ROWS - NULL], [ROWS - NULL + 1]])
    worth = value_stake(tests, np.zeros_like(drawn), drawn, np.zeros((1, 2), dtype=np.bool_))
    assert np.isinf(worth).tolist() == [[False], [True]]
