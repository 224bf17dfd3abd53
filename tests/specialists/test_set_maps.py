"""Label maps for sets of labels: each class held against its label by itself."""

import numpy as np
import pytest

from specialists.label_space import LabelSets
from specialists.set_maps import can_judge_sets, contradict_set_map, read_set_classes, verify_set_map

LABELS = ("joy", "anger", "fear")
SETS = LabelSets(LABELS)
NAMES = ("A", "B", "C")
RIGHT: dict[int, str | None] = dict(enumerate(LABELS))


def make_rows(rows: int = 200, shares: tuple[float, ...] = (0.4, 0.2, 0.1)) -> tuple[np.ndarray, np.ndarray]:
    """Return codes, and the probabilities of three classes that are the labels in their order."""
    rng = np.random.default_rng(1)
    had = rng.random((rows, 3)) < shares
    return SETS.pick(had.astype(np.float64)), np.clip(np.where(had, 0.75, 0.15) + rng.normal(0, 0.1, had.shape), 0, 1)


def verify(class_probs: np.ndarray, truth: np.ndarray, proposed: dict[int, str | None], *, correcting: bool = True):
    weights = np.ones(len(truth))
    said = {"proposed": proposed, "labels": LABELS, "class_names": NAMES, "correcting": correcting}
    return verify_set_map(class_probs, truth, weights, **said)


def test_a_right_map_is_verified_whatever_the_threshold() -> None:
    truth, probs = make_rows()
    assert verify(probs, truth, RIGHT).status == "verified"
    shy = verify(probs * 0.4, truth, RIGHT)
    assert shy.status == "verified", "no class comes to one half, and each tells its label"
    assert 0.1 <= shy.margin < verify(probs, truth, RIGHT).margin


def test_swapped_and_unknown_classes_are_found() -> None:
    truth, probs = make_rows()
    swapped = verify(probs, truth, {0: "anger", 1: "joy", 2: "fear"})
    assert (swapped.status, swapped.found) == ("corrected", RIGHT)
    unknown = verify(probs, truth, {0: "joy", 1: None, 2: "fear"})
    assert (unknown.status, unknown.found) == ("corrected", RIGHT)
    assert "B is anger, and was read as nothing" in unknown.reason


def test_a_class_that_tells_nothing_is_left_out() -> None:
    truth, probs = make_rows()
    probs[:, 2] = 0.1
    verdict = verify(probs, truth, RIGHT)
    assert (verdict.status, verdict.found) == ("corrected", {0: "joy", 1: "anger", 2: None})


def test_a_model_that_tells_nothing_is_refused() -> None:
    truth, probs = make_rows()
    noise = np.random.default_rng(2).random(probs.shape)
    assert verify(noise, truth, RIGHT).status == "unverified"


def test_without_correcting_an_unknown_class_stays_so() -> None:
    truth, probs = make_rows()
    assert verify(probs, truth, {0: "joy", 1: "anger", 2: None}, correcting=False).status == "verified"


def test_few_rows_judge_no_map_and_may_contradict_it() -> None:
    truth, probs = make_rows(15, (0.5, 0.5, 0.5))
    assert not can_judge_sets(truth)
    assert verify(probs, truth, RIGHT).status == "untested"
    assert contradict_set_map(probs, truth, RIGHT, LABELS) is None
    reversed_ = contradict_set_map(1.0 - probs, truth, RIGHT, LABELS)
    assert reversed_ is not None
    assert "less likely by it on the rows that have it" in reversed_
    assert verify(1.0 - probs, truth, RIGHT).status == "unverified"


@pytest.mark.parametrize(("share", "judges"), [(0.0, False), (0.01, False), (0.1, True), (1.0, False)])
def test_a_label_that_all_or_none_have_judges_nothing(share: float, judges: bool) -> None:
    codes = np.where(np.arange(100) < 100 * share, SETS.encode(("joy",)), 0)
    assert can_judge_sets(codes) is judges


def test_classes_are_read_as_the_scripts_read_them() -> None:
    probs = np.array([[0.2, 0.7, 0.4]])
    read = read_set_classes(probs, {0: "joy", 1: "joy", 2: "fear"}, LABELS)
    np.testing.assert_allclose(read, [[0.7, np.nan, 0.4]])
