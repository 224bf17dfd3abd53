"""What classes mean, on models whose true maps are known."""

import numpy as np
import pytest

from records.candidate import MapVerdict
from specialists.class_maps import (
    ClassMap,
    can_judge,
    find_contradiction,
    read_classes,
    verify_map,
    verify_map_by_consensus,
)

TWO = ("negative", "positive")
THREE = ("negative", "neutral", "positive")
FORWARDS: ClassMap = {0: "negative", 1: "positive"}
BACKWARDS: ClassMap = {0: "positive", 1: "negative"}
SILENT_2: ClassMap = {0: None, 1: None}
SILENT_3: ClassMap = {0: None, 1: None, 2: None}


def draw_truth(shares: list[float], rows: int = 200) -> np.ndarray:
    """Return label indices (rows,) in the stated shares."""
    return np.repeat(np.arange(len(shares)), np.round(np.array(shares) * rows).astype(int))


def answer(truth: np.ndarray, rates: list[list[float]], seed: int = 0) -> np.ndarray:
    """Return class probabilities (n_rows, n_classes): label l's rows get class c with probability `rates[l][c]`."""
    table = np.array(rates) / np.sum(rates, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    given = np.array([rng.choice(table.shape[1], p=table[label]) for label in truth], dtype=int)
    probs = rng.dirichlet(np.ones(table.shape[1]), len(truth)) * 0.4
    probs[np.arange(len(truth)), given] += 0.6
    return probs


def judge(
    probs: np.ndarray, truth: np.ndarray, proposed: ClassMap, labels: tuple[str, ...], weights: np.ndarray | None = None
) -> MapVerdict:
    names = [f"LABEL_{c}" for c in range(probs.shape[1])]
    weights = np.ones(len(truth)) if weights is None else weights
    return verify_map(probs, truth, weights, proposed=proposed, labels=labels, class_names=names)


GOOD_2 = [[0.85, 0.15], [0.2, 0.8]]
GOOD_3 = [[0.8, 0.15, 0.05], [0.2, 0.6, 0.2], [0.05, 0.15, 0.8]]
EVEN_2, EVEN_3 = draw_truth([0.5, 0.5]), draw_truth([0.34, 0.33, 0.33])
RIGHT_3: ClassMap = {0: "negative", 1: "neutral", 2: "positive"}


def test_a_right_map_is_verified_with_its_smallest_margin() -> None:
    verdict = judge(answer(EVEN_3, GOOD_3), EVEN_3, RIGHT_3, THREE)
    assert (verdict.status, verdict.found) == ("verified", RIGHT_3)
    assert verdict.margin == pytest.approx((0.8 - 0.15 + 0.6 - 0.2) / 2, abs=0.15)
    assert "swapping" in verdict.reason
    assert "neutral" in verdict.reason


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_names_that_say_nothing_are_found_by_the_probe_alone(order: tuple[int, ...]) -> None:
    rates = np.array(GOOD_3)[:, list(order)].tolist()
    verdict = judge(answer(EVEN_3, rates), EVEN_3, SILENT_3, THREE)
    assert verdict.status == "corrected"
    assert verdict.found == {c: THREE[label] for c, label in enumerate(order)}
    assert verdict.proposed == SILENT_3
    assert "nothing says what it means" in verdict.reason


def test_reversed_labels_are_corrected() -> None:
    verdict = judge(answer(EVEN_2, GOOD_2), EVEN_2, {0: "positive", 1: "negative"}, TWO)
    assert (verdict.status, verdict.found) == ("corrected", {0: "negative", 1: "positive"})
    assert (
        "LABEL_0 is negative: it is given on 77% of the rows of negative and 18% of the rows of positive"
        in verdict.reason
    )
    assert "it was read as positive" in verdict.reason


@pytest.mark.parametrize("said", [(1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_permuted_labels_are_corrected(said: tuple[int, ...]) -> None:
    proposed = {c: THREE[label] for c, label in enumerate(said)}
    verdict = judge(answer(EVEN_3, GOOD_3), EVEN_3, proposed, THREE)
    assert (verdict.status, verdict.found) == ("corrected", RIGHT_3)


def test_a_source_that_is_wrong_about_one_class_is_not_believed_about_a_doubtful_one() -> None:
    truth = np.arange(60) % 3
    own = truth.copy()
    own[truth == 1] = np.where(np.arange(20) < 12, 1, 0)
    own[truth == 2] = np.where(np.arange(20) < 12, 2, 1)
    probs = np.eye(3)[own]
    assert judge(probs, truth, {0: "negative", 1: "positive", 2: "positive"}, THREE).found[1] == "positive"
    verdict = judge(probs, truth, {0: "neutral", 1: "positive", 2: "negative"}, THREE)
    assert verdict.found == {0: "negative", 1: None, 2: "positive"}
    assert "LABEL_1 is unclear" in verdict.reason


def test_names_in_another_language_that_were_read_in_part_are_completed() -> None:
    verdict = judge(answer(EVEN_3, GOOD_3), EVEN_3, {0: None, 1: "neutral", 2: None}, THREE)
    assert (verdict.status, verdict.found) == ("corrected", RIGHT_3)


TWO_OF_THREE = [[0.92, 0.08], [0.55, 0.45], [0.07, 0.93]]


@pytest.mark.parametrize("seed", range(10))
def test_a_model_without_the_third_label_is_not_given_it_by_noise(seed: int) -> None:
    probs = answer(EVEN_3, TWO_OF_THREE, seed)
    right: ClassMap = {0: "negative", 1: "positive"}
    verdict = judge(probs, EVEN_3, right, THREE)
    assert (verdict.status, verdict.found) == ("verified", right)
    found = judge(probs, EVEN_3, SILENT_2, THREE)
    assert (found.status, found.found) == ("corrected", right)


EMOTIONS = [
    # anger, disgust, fear, joy, neutral, sadness, surprise
    [0.35, 0.15, 0.15, 0.04, 0.08, 0.2, 0.05],
    [0.03, 0.02, 0.02, 0.08, 0.75, 0.05, 0.05],
    [0.02, 0.01, 0.01, 0.8, 0.1, 0.02, 0.05],
]
NEGATIVE = "negative"
EMOTION_MAP: ClassMap = {
    0: NEGATIVE,
    1: NEGATIVE,
    2: NEGATIVE,
    3: "positive",
    4: "neutral",
    5: NEGATIVE,
    6: None,
}


@pytest.mark.parametrize("seed", range(5))
def test_extra_classes_keep_their_reading_and_one_that_means_nothing_here_stays_without(seed: int) -> None:
    verdict = judge(answer(EVEN_3, EMOTIONS, seed), EVEN_3, EMOTION_MAP, THREE)
    assert (verdict.status, verdict.found) == ("verified", EMOTION_MAP)


def test_extra_classes_without_names_are_found_where_they_are_used() -> None:
    truth = np.arange(450) % 3
    found = judge(answer(truth, EMOTIONS), truth, {}, THREE).found
    assert {c: found[c] for c in (0, 3, 4, 5, 6)} == {c: EMOTION_MAP[c] for c in (0, 3, 4, 5, 6)}


STARS = [
    [0.55, 0.3, 0.1, 0.03, 0.02],
    [0.05, 0.2, 0.5, 0.2, 0.05],
    [0.02, 0.03, 0.08, 0.32, 0.55],
]


def test_five_stars_are_read_as_three_labels() -> None:
    stars: ClassMap = {0: "negative", 1: "negative", 2: "neutral", 3: "positive", 4: "positive"}
    verdict = judge(answer(EVEN_3, STARS), EVEN_3, stars, THREE)
    assert (verdict.status, verdict.found) == ("verified", stars)
    upside_down = judge(answer(EVEN_3, STARS), EVEN_3, {c: stars[4 - c] for c in range(5)}, THREE)
    assert upside_down.status == "corrected"
    assert {c: upside_down.found[c] for c in (0, 2, 4)} == {0: "negative", 2: "neutral", 4: "positive"}
    silent = judge(answer(EVEN_3, STARS), EVEN_3, {}, THREE)
    assert silent.status == "corrected"
    assert {c: silent.found[c] for c in (0, 2, 4)} == {0: "negative", 2: "neutral", 4: "positive"}


def test_of_models_that_guess_hardly_any_is_verified() -> None:
    guess = [[0.5, 0.5]] * 2
    for proposed in ({0: "negative", 1: "positive"}, SILENT_2):
        statuses = [judge(answer(EVEN_2, guess, seed), EVEN_2, proposed, TWO).status for seed in range(200)]
        assert statuses.count("unverified") >= 188, "at two standard errors, 2.3 % pass each way"
    three = [judge(answer(EVEN_3, [[1, 1, 1]] * 3, seed), EVEN_3, RIGHT_3, THREE).status for seed in range(100)]
    assert three.count("unverified") >= 98


def test_a_constant_model_is_unverified() -> None:
    verdict = judge(answer(EVEN_2, [[1, 0], [1, 0]]), EVEN_2, {0: "negative", 1: "positive"}, TWO)
    assert verdict.status == "unverified"
    assert verdict.margin == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_common_label_takes_no_classes_by_being_common(seed: int) -> None:
    skewed = draw_truth([0.9, 0.1])
    weak = [[0.8, 0.2], [0.2, 0.8]]
    assert judge(answer(skewed, weak, seed), skewed, {0: "negative", 1: "positive"}, TWO).status == "verified"
    silent = judge(answer(skewed, weak, seed), skewed, SILENT_2, TWO)
    assert (silent.status, silent.found) == ("corrected", {0: "negative", 1: "positive"})


def test_a_label_that_the_probe_lacks_keeps_its_classes_and_the_reason_says_so() -> None:
    truth = np.concatenate([draw_truth([0.5, 0, 0.5]), [1, 1]])
    verdict = judge(answer(truth, GOOD_3), truth, RIGHT_3, THREE)
    assert (verdict.status, verdict.found) == ("verified", RIGHT_3)
    assert "too few rows of neutral" in verdict.reason


def test_a_class_read_as_a_missing_label_that_stands_in_for_another_is_found_out() -> None:
    truth = draw_truth([0.5, 0, 0.5])
    rotated: ClassMap = {0: "neutral", 1: "positive", 2: "negative"}
    verdict = judge(answer(truth, GOOD_3), truth, rotated, THREE)
    assert verdict.status == "corrected"
    assert verdict.found[0] == "negative"
    assert verdict.found[2] == "positive"


def give(counts: dict[int, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return class probabilities and truth: `counts[label][class]` rows of a label are given a class."""
    pairs = [(label, c) for label, row in counts.items() for c, many in enumerate(row) for _ in range(many)]
    truth, given = np.array(pairs).T
    return np.eye(len(next(iter(counts.values()))))[given], truth


@pytest.mark.parametrize("taken", [38, 45])
def test_a_class_read_as_a_missing_label_keeps_it_where_it_takes_less_than_most_rows_of_another(taken: int) -> None:
    probs, truth = give({0: [80, 15, 5], 2: [75 - taken, taken, 25]})
    verdict = judge(probs, truth, RIGHT_3, THREE)
    assert verdict.found == RIGHT_3


def test_a_correction_that_leaves_no_pair_to_test_is_unverified() -> None:
    probs, truth = give({0: [45, 10, 45], 2: [10, 45, 45]})
    verdict = judge(probs, truth, {0: "neutral", 1: "negative", 2: None}, THREE)
    assert verdict.status == "unverified"
    assert verdict.found == {0: "neutral", 1: "positive", 2: None}


def test_a_class_that_the_map_leaves_out_leans_to_one_side_and_is_no_more_of_that_side() -> None:
    probs, truth = give({0: [3000, 500, 1500], 1: [500, 3500, 1000]})
    assert judge(probs, truth, {0: "negative", 1: "positive"}, TWO).found[2] is None
    probs, truth = give({0: [3000, 500, 1500], 1: [500, 4050, 450]})
    assert judge(probs, truth, {0: "negative", 1: "positive"}, TWO).found[2] == "negative"


def test_a_class_that_is_left_out_is_no_contradiction_by_consensus() -> None:
    probs, truth = give({0: [300, 50, 150], 1: [50, 420, 30]})
    names = {0: "negative", 1: "positive", 2: None}
    said = {"labels": TWO, "class_names": ("negative", "positive", "neutral")}
    verdict = verify_map_by_consensus(probs, truth, np.ones(len(truth)), by_names=names, by_card=None, **said)
    assert (verdict.status, verdict.found) == ("verified", names)


def test_a_pair_with_rows_enough_that_is_not_told_apart_fails_the_map() -> None:
    probs, truth = give({0: [90, 5, 5], 1: [10, 47, 43], 2: [5, 45, 50]})
    verdict = judge(probs, truth, RIGHT_3, THREE)
    assert verdict.status == "unverified"
    assert verdict.margin == pytest.approx(0.045)
    assert "swapping neutral and positive would cost 0.04" in verdict.reason


@pytest.mark.parametrize("rows", [0, 1, 4, 19])
def test_few_rows_verify_nothing_and_let_a_map_stand_that_they_do_not_contradict(rows: int) -> None:
    truth = np.arange(rows) % 2
    verdict = judge(answer(truth, GOOD_2), truth, FORWARDS, TWO)
    assert (verdict.status, verdict.margin, verdict.found) == ("untested", 0.0, FORWARDS)
    assert f"stands as proposed: {rows} rows" in verdict.reason
    assert judge(answer(truth, GOOD_2), truth, SILENT_2, TWO).status == "unverified"


@pytest.mark.parametrize(("rows", "status"), [(1, "untested"), (4, "untested"), (5, "unverified"), (19, "unverified")])
def test_few_rows_refuse_a_reversed_map_as_soon_as_a_guess_would_seldom_be_so_wrong(rows: int, status: str) -> None:
    truth = np.arange(rows) % 2
    verdict = judge(answer(truth, [[0.0, 1.0], [1.0, 0.0]]), truth, FORWARDS, TWO)
    assert verdict.status == status
    assert verdict.found == FORWARDS
    assert ("only 0 of" in verdict.reason) == (status == "unverified")


@pytest.mark.parametrize(
    ("rates", "status"),
    [(GOOD_2, "untested"), ([[0.4, 0.6], [0.6, 0.4]], "unverified"), ([[0.0, 1.0], [1.0, 0.0]], "unverified")],
)
def test_a_probe_of_one_label_verifies_nothing_and_refuses_what_it_contradicts(
    rates: list[list[float]], status: str
) -> None:
    truth = np.zeros(100, dtype=int)
    verdict = judge(answer(truth, rates), truth, FORWARDS, TWO)
    assert verdict.status == status
    assert "100 rows with 1 labels often enough cannot judge it" in verdict.reason


def test_rows_of_a_label_that_a_map_does_not_cover_do_not_contradict_it() -> None:
    truth = np.array([1] * 12 + [0] * 3)
    probs = np.eye(2)[np.array([0] * 15)]
    assert find_contradiction(probs, truth, {0: "negative", 1: "positive"}, THREE) is None
    assert find_contradiction(probs, truth, {0: "neutral", 1: "positive"}, THREE) is None
    assert find_contradiction(probs, truth, {0: "positive", 1: "neutral"}, THREE) == (
        "only 0 of 12 rows get the label that is expected of them"
    )


@pytest.mark.parametrize(
    ("counts", "judges"),
    [((10, 10), True), ((15, 5), True), ((16, 4), False), ((100,), False), ((10, 9), False), ((), False)],
)
def test_rows_judge_maps_where_they_are_enough_and_of_two_labels(counts: tuple[int, ...], judges: bool) -> None:
    assert can_judge(np.repeat(np.arange(len(counts)), counts)) is judges


def test_a_map_of_fewer_than_two_labels_is_unverified() -> None:
    verdict = judge(answer(EVEN_2, [[0.5, 0.5], [0.5, 0.5]]), EVEN_2, {0: "negative", 1: None}, TWO)
    assert verdict.status == "unverified"


def test_weights_count() -> None:
    truth = np.arange(200) % 2
    own = np.where(np.arange(200) < 100, truth, 1 - truth)
    weights = np.where(np.arange(200) < 100, 9.0, 1.0)
    right: ClassMap = {0: "negative", 1: "positive"}
    assert judge(np.eye(2)[own], truth, right, TWO).status == "unverified"
    assert judge(np.eye(2)[own], truth, right, TWO, weights).status == "verified"
    assert judge(np.eye(2)[own], truth, SILENT_2, TWO).found == SILENT_2
    assert judge(np.eye(2)[own], truth, SILENT_2, TWO, weights).found == right


@pytest.mark.parametrize("seed", range(5))
def test_many_labels_with_few_rows_each_do_not_fail_by_one_bad_pair(seed: int) -> None:
    labels = tuple(f"topic {k}" for k in range(15))
    truth = np.arange(200) % 15
    probs = answer(truth, (np.full((15, 15), 0.02) + np.eye(15) * 0.7).tolist(), seed)
    right = dict(enumerate(labels))
    assert judge(probs, truth, right, labels).status == "verified"
    rotated = {c: labels[(c + 1) % 15] for c in range(15)}
    verdict = judge(probs, truth, rotated, labels)
    assert verdict.status == "corrected"
    wrong = {c: label for c, label in verdict.found.items() if label != right[c]}
    assert set(wrong.values()) <= {None}, "thirteen rows may leave a class unclear, and turn none about"
    assert len(wrong) <= 3
    guess = answer(truth, np.ones((15, 15)).tolist(), seed)
    assert judge(guess, truth, right, labels).status == "unverified"


def test_classes_are_read_as_the_scripts_read_them() -> None:
    probs = np.array([[0.1, 0.3, 0.2, 0.4], [0.0, 0.0, 0.0, 1.0]])
    read = read_classes(probs, {0: "negative", 1: "negative", 2: "positive", 3: None}, THREE)
    assert read[0] == pytest.approx([4 / 6, 0, 2 / 6])
    assert read[1] == pytest.approx([0.5, 0, 0.5]), "nothing on a class that has a label: even over what is covered"
    assert read_classes(probs, {}, TWO)[0] == pytest.approx([0.5, 0.5])


def consent(
    probs: np.ndarray, consensus: np.ndarray | None, by_names: ClassMap | None, by_card: ClassMap | None
) -> MapVerdict:
    names = [f"LABEL_{c}" for c in range(probs.shape[1])]
    return verify_map_by_consensus(
        probs,
        consensus,
        np.ones(len(probs)),
        by_names=by_names,
        by_card=by_card,
        labels=TWO,
        class_names=names,
    )


@pytest.mark.parametrize(
    ("by_names", "by_card", "status", "words"),
    [
        (FORWARDS, FORWARDS, "verified", "swapping"),
        (FORWARDS, None, "verified", "swapping"),
        (None, FORWARDS, "verified", "swapping"),
        (SILENT_2, FORWARDS, "verified", "swapping"),
        ({0: "negative"}, {1: "positive"}, "verified", "swapping"),
        (FORWARDS, BACKWARDS, "unverified", "LABEL_0 is negative by its name and positive by the card"),
        (BACKWARDS, BACKWARDS, "unverified", "disagree with the others' consensus: LABEL_0 is negative"),
        (BACKWARDS, None, "unverified", "disagree with the others' consensus"),
        (None, None, "unverified", "neither its label names nor its card"),
        (SILENT_2, {}, "unverified", "neither its label names nor its card"),
    ],
)
def test_by_consensus_names_card_and_probe_must_agree(
    by_names: ClassMap | None, by_card: ClassMap | None, status: str, words: str
) -> None:
    verdict = consent(answer(EVEN_2, GOOD_2), EVEN_2, by_names, by_card)
    assert verdict.status == status
    assert words in verdict.reason


def test_by_consensus_a_model_that_guesses_is_unverified_and_few_rows_let_names_stand() -> None:
    assert consent(answer(EVEN_2, [[1, 1], [1, 1]], 3), EVEN_2, FORWARDS, FORWARDS).status == "unverified"
    few = np.arange(10) % 2
    assert consent(answer(few, GOOD_2), few, FORWARDS, None).status == "untested"
    assert consent(answer(few, GOOD_2), few, BACKWARDS, None).status == "unverified"
    assert consent(answer(few, GOOD_2), few, FORWARDS, BACKWARDS).status == "unverified"


def test_one_that_nobody_else_can_be_held_against_is_untested() -> None:
    verdict = consent(answer(EVEN_2, GOOD_2), None, FORWARDS, None)
    assert (verdict.status, verdict.margin) == ("untested", 0.0)
    assert "no other model has a vote to hold it against" in verdict.reason
    assert consent(answer(EVEN_2, GOOD_2), None, FORWARDS, BACKWARDS).status == "unverified"
    assert consent(answer(EVEN_2, GOOD_2), None, None, SILENT_2).status == "unverified"
