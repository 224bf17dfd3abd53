"""The confidence sequence, held against all samples of small populations."""

from math import comb, exp

import numpy as np
import pytest

from specialists.betting import (
    SMALL_SHARES,
    Prior,
    bound_total_always,
    bound_total_below_always,
    expect_share,
    find_log_stake,
)

ROWS = 24


def stake(wrong: int, drawn: int, total: int) -> float:
    return exp(float(find_log_stake(*(np.array(x) for x in (wrong, drawn, total, ROWS)), SMALL_SHARES)))


@pytest.mark.parametrize("total", [0, 1, 5, 12, 24])
def test_the_game_is_fair_if_the_total_is_true(total: int) -> None:
    for drawn in range(ROWS + 1):
        least, most = max(0, drawn - (ROWS - total)), min(drawn, total)
        chances = [comb(total, s) * comb(ROWS - total, drawn - s) / comb(ROWS, drawn) for s in range(least, most + 1)]
        expected = sum(c * stake(s, drawn, total) for s, c in zip(range(least, most + 1), chances, strict=True))
        assert expected == pytest.approx(
            sum(comb(drawn, s) * sequence_chance(s, drawn) for s in range(least, most + 1)), rel=1e-9
        )
        assert expected <= 1 + 1e-9


def sequence_chance(wrong: int, drawn: int) -> float:
    """Return the chance of one sequence under the gambler's expectation, from Pólya's urn."""
    ones, zeros, chance = SMALL_SHARES.differing, SMALL_SHARES.same, 1.0
    for i in range(drawn):
        chance *= (ones + i if i < wrong else zeros + i - wrong) / (ones + zeros + i)
    return chance


@pytest.mark.parametrize("prior", [SMALL_SHARES, Prior(1, 1), expect_share(0.3)])
def test_the_truth_is_ever_left_out_with_a_small_probability_only(prior: Prior) -> None:
    """Exact: the probability of ever leaving the sequence is summed over all paths by dynamic programming."""
    for total in range(ROWS + 1):
        assert find_exit_chance(total, 0.1, prior) <= 0.1


def find_exit_chance(total: int, error: float, prior: Prior) -> float:
    inside, outside = {0: 1.0}, 0.0
    for drawn in range(1, ROWS + 1):
        ahead: dict[int, float] = {}
        for wrong, chance in inside.items():
            up = (total - wrong) / (ROWS - drawn + 1)
            for step, part in ((1, up), (0, 1 - up)):
                if part > 0:
                    ahead[wrong + step] = ahead.get(wrong + step, 0.0) + chance * part
        inside = {}
        for wrong, chance in ahead.items():
            log_stake = find_log_stake(*(np.array(x) for x in (wrong, drawn, total, ROWS)), prior)
            if log_stake >= -np.log(error):
                outside += chance
            else:
                inside[wrong] = chance
    return outside


def test_the_bounds_are_the_ends_of_what_no_look_has_excluded() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.permutation(ROWS) < rng.integers(0, ROWS + 1)
        drawn, wrong = np.arange(ROWS + 1), np.concatenate([[0], np.cumsum(rows)])
        kept = np.stack(
            [find_log_stake(wrong, drawn, np.array(t), np.array(ROWS), SMALL_SHARES) < -np.log(0.2) for t in range(25)]
        )
        ever = np.logical_and.accumulate(kept, axis=1)
        upper = bound_total_always(wrong, drawn, ROWS, 0.2)
        lower = bound_total_below_always(wrong, drawn, ROWS, 0.2)
        for look in range(ROWS + 1):
            totals = np.flatnonzero(ever[:, look])
            if len(totals):
                assert (totals.min(), totals.max()) == (lower[look], upper[look])
        assert (np.diff(upper) <= 0).all()


def test_a_million_rows_take_no_longer() -> None:
    drawn = np.arange(0, 5001, 25)
    wrong = drawn // 20
    upper, lower = (
        bound(wrong, drawn, 1_000_000, 0.05)[-1] for bound in (bound_total_always, bound_total_below_always)
    )
    assert 0.038 < lower / 1e6 < 0.05 < upper / 1e6 < 0.063


def test_the_whole_population_leaves_no_doubt() -> None:
    assert bound_total_always(np.array([5]), np.array([50]), 50, 0.05).tolist() == [5]
    assert bound_total_below_always(np.array([5]), np.array([50]), 50, 0.05).tolist() == [5]
