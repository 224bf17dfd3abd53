import numpy as np

from agents.base import Consensus, ReviewRequest, ReviewRow
from agents.reviewer import OfflineReviewer
from tests.agents.builders import make_task

TASK = make_task("negative", "neutral", "positive")


def make_request(labels: np.ndarray) -> ReviewRequest:
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 8)).astype(np.float32) * 4
    features = centres[labels] + random.normal(size=(len(labels), 8)).astype(np.float32)
    rows = tuple(ReviewRow(row=10 + place, text=f"text {place}") for place in range(3))
    undecided = np.full((3, 3), 1 / 3)
    return ReviewRequest(TASK, rows, Consensus(features.astype(np.float32), labels, centres, undecided))


def test_rows_get_the_label_of_their_neighbours() -> None:
    reviews = OfflineReviewer().review(make_request(np.arange(60) % 3))
    assert [review.row for review in reviews] == [10, 11, 12]
    assert [review.label for review in reviews] == ["negative", "neutral", "positive"]
    assert all(review.source == "offline" and not review.failed for review in reviews)
    assert all(review.sureness is not None and 1 / 3 < review.sureness <= 1 for review in reviews)


def test_a_consensus_that_teaches_nothing_fails_every_row_with_the_reason() -> None:
    for labels in (np.zeros(60, dtype=np.int64), np.arange(4) % 3):
        reviews = OfflineReviewer().review(make_request(labels))
        assert len(reviews) == 3
        assert all(review.failed and review.label is None and "consensus" in review.reason for review in reviews)


def test_no_rows_need_no_consensus() -> None:
    nothing = np.zeros((0, 8), dtype=np.float32)
    request = ReviewRequest(TASK, (), Consensus(nothing, np.zeros(0, dtype=np.int64), nothing, np.zeros((0, 3))))
    assert OfflineReviewer().review(request) == ()


def make_sets_request(had: np.ndarray, agreed: np.ndarray) -> ReviewRequest:
    """Return a request about four rows whose hidden states have the first label, the second, both, and neither."""
    random = np.random.default_rng(0)
    axes = random.normal(size=(3, 8)) * 4
    features = had @ axes + random.normal(size=(len(had), 8))
    shown = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
    consensus = Consensus(
        features.astype(np.float32),
        had @ np.array([1, 2, 4]),
        (shown @ axes).astype(np.float32),
        np.full((4, 3), (0.5, 0.5, 0.7)),
        agreed,
    )
    rows = tuple(ReviewRow(row=10 + place, text=f"text {place}") for place in range(4))
    return ReviewRequest(TASK.model_copy(update={"kind": "multi_label"}), rows, consensus)


def test_each_label_of_a_set_has_a_classifier_of_its_own() -> None:
    had = np.random.default_rng(1).integers(0, 2, (120, 3)) * [1, 1, 0]
    agreed = np.ones((120, 3), dtype=np.bool_)
    reviews = OfflineReviewer().review(make_sets_request(had, agreed))
    assert [set(review.labels or ()) - {"positive"} for review in reviews] == [
        {"negative"},
        {"neutral"},
        {"negative", "neutral"},
        set(),
    ]
    assert all("positive" in (review.labels or ()) for review in reviews), "no consensus has it: the vote stands"
    assert all(review.label is None and not review.failed for review in reviews)
    # Where the specialists agree about no label, there is nothing to learn.
    failed = OfflineReviewer().review(make_sets_request(had, agreed & False))
    assert all(review.failed and "of no label there is enough to learn" in review.reason for review in failed)
