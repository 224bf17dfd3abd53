"""Which decided texts are shown as examples."""

import numpy as np

from specialists.nearest import TextIndex, choose_examples

POOL = [
    "the battery is superb and lasts for days",
    "a dull film with a tedious plot",
    "the battery is awful and empty in an hour",
    "a witty film with a charming cast",
    "qqq zzz xxx",
]
GROUP = np.array([0, 1, 1, 0, 1])


def test_a_text_is_most_like_itself_and_unlike_what_shares_nothing() -> None:
    similarity = TextIndex(POOL).compare([*POOL, "ИЖЖЖЖ"])
    assert similarity.shape == (6, 5)
    assert np.allclose(np.diag(similarity[:5]), 1)
    assert similarity[:5].argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert np.allclose(similarity[5], 0)
    assert (similarity >= 0).all()
    assert (similarity <= 1 + 1e-9).all()


def test_blank_texts_are_like_nothing() -> None:
    assert np.allclose(TextIndex(["  ", "a b"]).compare(["  ", "a b"]), [[0, 0], [0, 1]])


def test_the_labels_take_turns_and_the_nearest_comes_first() -> None:
    similarity = TextIndex(POOL).compare(["is the battery any good?", "a film with a plot"])
    chosen = choose_examples(similarity, GROUP, 4).tolist()
    assert set(chosen) == {0, 1, 2, 3}
    assert sorted(GROUP[chosen[:2]]) == [0, 1]


def test_no_row_has_all_the_examples() -> None:
    similarity = np.array([[0.9, 0.9, 0.9, 0.0], [0.0, 0.0, 0.0, 0.4]])
    assert choose_examples(similarity, np.zeros(4, dtype=np.int64), 2).tolist() == [0, 3]


def test_a_row_has_more_examples_where_there_is_room() -> None:
    similarity = np.array([[0.9, 0.8, 0.7, 0.0], [0.0, 0.0, 0.0, 0.4]])
    assert choose_examples(similarity, np.zeros(4, dtype=np.int64), 8).tolist() == [0, 3, 1, 2]


def test_what_is_far_from_every_row_is_no_example() -> None:
    similarity = np.array([[0.9, 0.9, 0.01]])
    assert choose_examples(similarity, np.zeros(3, dtype=np.int64), 8).tolist() == [0, 1]
    assert choose_examples(similarity, np.array([0, 1, 2]), 8).tolist() == [0, 1]
    assert choose_examples(np.zeros((2, 3)), np.array([0, 1, 2]), 8).tolist() == []


def test_with_more_labels_than_room_the_nearest_ones_are_shown() -> None:
    similarity = np.linspace(0.1, 0.9, 20)[None, :]
    assert choose_examples(similarity, np.arange(20), 8).tolist() == [19, 18, 17, 16, 15, 14, 13, 12]


def test_no_example_is_taken_twice_and_no_more_than_asked_for() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        similarity, group = rng.uniform(0.1, 1, (rng.integers(1, 6), 30)), rng.integers(0, 4, 30)
        chosen = choose_examples(similarity, group, 8)
        assert len(set(chosen.tolist())) == len(chosen) <= 8
        assert set(group[chosen]) == set(group), "every label that is near has one"


def test_nothing_known_gives_nothing() -> None:
    assert choose_examples(np.zeros((3, 0)), np.zeros(0, dtype=np.int64), 8).tolist() == []
