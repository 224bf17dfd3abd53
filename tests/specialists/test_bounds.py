"""The bounds for a sample of a fixed size, held against every population that there could be."""

from math import comb

import numpy as np
import pytest

from specialists.bounds import bound_share, bound_total

ROWS, DRAWN, ERROR = 40, 12, 0.05


def chance(wrong: int, total: int) -> float:
    return comb(total, wrong) * comb(ROWS - total, DRAWN - wrong) / comb(ROWS, DRAWN)


def test_the_bound_is_the_greatest_total_that_is_not_excluded() -> None:
    bounds = bound_total(np.arange(DRAWN + 1), np.array(DRAWN), np.array(ROWS), ERROR)
    for wrong, bound in enumerate(bounds):
        kept = [t for t in range(ROWS + 1) if sum(chance(s, t) for s in range(wrong + 1)) > ERROR]
        possible = [t for t in kept if wrong <= t <= ROWS - DRAWN + wrong]
        assert bound == max(possible)


def test_the_bound_is_below_the_truth_for_few_samples_whatever_the_truth() -> None:
    bounds = bound_total(np.arange(DRAWN + 1), np.array(DRAWN), np.array(ROWS), ERROR)
    missed = [sum(chance(s, t) for s in range(DRAWN + 1) if bounds[s] < t) for t in range(ROWS + 1)]
    assert max(missed) <= ERROR
    assert max(missed) > ERROR / 2, "not needlessly wide either"


def test_knowing_how_many_rows_there_are_makes_it_tighter() -> None:
    wrong = np.array([0, 3, 30])
    finite = bound_total(wrong, np.array(300), np.array(3000), ERROR) / 3000
    share = bound_share(wrong, np.array(300), ERROR)
    assert (finite < share).all()
    assert bound_total(wrong, np.array(300), np.array(1_000_000), ERROR) / 1e6 == pytest.approx(share, abs=1e-4)


def test_known_values_of_clopper_and_pearson() -> None:
    assert bound_share(np.array([0, 5]), np.array([59, 5]), 0.05).tolist() == pytest.approx([1 - 0.05 ** (1 / 59), 1.0])


def test_a_population_that_was_seen_whole_is_known() -> None:
    assert bound_total(np.array(7), np.array(50), np.array(50), 0.001) == 7
    assert bound_total(np.array(0), np.array(0), np.array(50), 0.05) == 50
