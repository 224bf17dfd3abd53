"""Which models count as one."""

import numpy as np

from specialists.near_copies import Origin, find_near_copies

UNKNOWN = Origin(frozenset(), "", frozenset())


def make_probs(*own: np.ndarray) -> np.ndarray:
    return np.eye(2)[np.stack(own)]


def flip(labels: np.ndarray, count: int) -> np.ndarray:
    flipped = labels.copy()
    flipped[:count] = 1 - flipped[:count]
    return flipped


LABELS = np.arange(200) % 2
ALONE = make_probs(LABELS, flip(LABELS, 60), flip(LABELS, 120))
ONES = np.ones(200)


def find(probs: np.ndarray, origins: list[Origin], quality: list[float], weights: np.ndarray = ONES) -> dict:
    copies = find_near_copies(probs, weights, origins, np.array(quality), np.arange(len(probs)) / 10)
    return {copy.position: (copy.of, copy.reason) for copy in copies}


def test_models_that_differ_all_stay() -> None:
    assert find(ALONE, [UNKNOWN] * 3, [0.9, 0.8, 0.7]) == {}


def test_the_best_of_those_with_the_same_weights_stays() -> None:
    same = Origin(frozenset({"aa", "bb"}), "", frozenset())
    part = Origin(frozenset({"aa"}), "", frozenset())
    assert find(ALONE, [same, same, part], [0.7, 0.8, 0.9]) == {0: (1, "has the same weights")}


def test_base_and_data_must_both_be_stated_and_the_same() -> None:
    made = Origin(frozenset({"1"}), "org/base", frozenset({"imdb"}))
    other = Origin(frozenset({"2"}), "org/base", frozenset({"imdb"}))
    silent = Origin(frozenset({"3"}), "org/base", frozenset())
    assert find(ALONE, [made, other, silent], [0.9, 0.8, 0.7]) == {
        1: (0, "was made from the same base (org/base) with the same data (imdb)")
    }
    bare = Origin(frozenset({"4"}), "org/base", frozenset())
    assert find(ALONE, [silent, bare, UNKNOWN], [0.9, 0.8, 0.7]) == {}


def test_agreement_above_98_percent_makes_a_copy_and_98_does_not() -> None:
    probs = make_probs(LABELS, flip(LABELS, 4), flip(LABELS, 100))
    assert find(probs, [UNKNOWN] * 3, [0.9, 0.8, 0.7]) == {}
    probs = make_probs(LABELS, flip(LABELS, 3), flip(LABELS, 100))
    assert find(probs, [UNKNOWN] * 3, [0.9, 0.8, 0.7]) == {1: (0, "gives the same label on 98.5% of the rows")}


def test_agreement_is_that_of_the_input_not_of_the_probe() -> None:
    probs = make_probs(LABELS, flip(LABELS, 4))
    weights = np.where(np.arange(200) < 4, 0.1, 1.0)
    assert list(find(probs, [UNKNOWN] * 2, [0.9, 0.8], weights)) == [1]


def test_the_prior_decides_between_equals() -> None:
    assert list(find(make_probs(LABELS, LABELS), [UNKNOWN] * 2, [0.9, 0.9])) == [0]


def test_few_rows_make_no_copies() -> None:
    assert find(make_probs(LABELS[:19], LABELS[:19]), [UNKNOWN] * 2, [0.9, 0.8], ONES[:19]) == {}
    assert find(np.empty((2, 0, 2)), [UNKNOWN] * 2, [0.9, 0.8], ONES[:0]) == {}


def test_a_chain_is_not_one_group() -> None:
    probs = make_probs(LABELS, flip(LABELS, 3), flip(LABELS, 6))
    assert list(find(probs, [UNKNOWN] * 3, [0.9, 0.8, 0.7])) == [1]
