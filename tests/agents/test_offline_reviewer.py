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
