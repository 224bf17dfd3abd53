"""What a review step gives the reviewer, and what its answers do to a stage's labels."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.reviewing import ReviewStep, apply_reviews
from graphs.tables import STAGE_LABELS, VOTED, StageRows, read_answer
from records.folder import RunFolder
from records.review_book import BookedReview, ReviewBook, key_of_bytes, key_of_text
from records.rows import ROW, ROW_ID, TEXT, Review, RowText

TEXTS = ["a good film", "a poor film", "so-so", "A  GOOD film", ""]
STAGE = StageRows(number=np.arange(10, 15), row_id=[f"id-{n}" for n in range(10, 15)], text=list(map(RowText, TEXTS)))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ReviewBook]:
    with closing(ReviewBook(tmp_path / "ledger.sqlite")) as book:
        yield book


def make_table() -> pa.Table:
    voted = {"confidence": 0.6, "source": "vote", "votes": [("owner--one", "bad"), ("owner--two", "good")]}
    rows = [
        {ROW: number, ROW_ID: name, VOTED: label, "label": label, **voted}
        for number, name, label in zip(STAGE.number, STAGE.row_id, ["bad"] * 4 + [None], strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=STAGE_LABELS)


def apply(book: ReviewBook, *reviews: Review) -> list[dict]:
    step = ReviewStep(number=2, reviews=book, rows=STAGE)
    step.book(reviews)
    assert not any(step.booked()), "a step that runs again knows what was said before it"
    return apply_reviews(make_table(), ReviewStep(number=3, reviews=book, rows=STAGE).booked()).to_pylist()


def test_a_label_of_a_language_model_wins_and_has_no_calibrated_confidence(book: ReviewBook) -> None:
    said = Review(row=10, label="good", source="llm", sureness=0.9, sureness_from="stated", reason="It says good.")
    first, second, *_, same, empty = apply(book, said)
    assert (first["label"], first["source"], first["confidence"]) == ("good", "llm", None)
    assert (first["review_label"], first["reason"], first["copied_from"]) == ("good", "It says good.", None)
    assert (same["label"], same["copied_from"]) == ("good", "id-10"), "the same text shares the review"
    assert (second["label"], second["source"], second["review_label"]) == ("bad", "vote", None)
    assert empty["label"] is None
    assert book.find([key_of_text(TEXTS[0])])[key_of_text(TEXTS[0])].review == said, "how sure it was is kept"


def test_the_probability_of_the_reviewer_without_a_language_model_is_kept(book: ReviewBook) -> None:
    (first, *_) = apply(book, Review(row=10, label="good", source="offline", sureness=0.8))
    assert (first["label"], first["source"], first["confidence"]) == ("good", "offline", 0.8)


def test_what_the_person_says_is_certain(book: ReviewBook) -> None:
    first, *_, same, _ = apply(book, Review(row=10, label="good", source="gold"))
    assert (first["label"], first["source"], first["confidence"]) == ("good", "gold", 1.0)
    assert (same["source"], same["confidence"], same["copied_from"]) == ("gold", 1.0, "id-10")


def test_a_row_of_which_the_reviewer_cannot_tell_keeps_its_vote_and_says_so(book: ReviewBook) -> None:
    undecided = Review(row=10, undecided=True, source="llm", sureness=0.7, sureness_from="stated", reason="Too short.")
    (first, *_) = apply(book, undecided)
    assert (first["label"], first["source"], first["confidence"]) == ("bad", "vote", 0.6)
    assert (first["review_label"], first["review_failed"], first["reason"]) == ("cannot tell", False, "Too short.")
    assert read_answer(first["review_label"]) is None


def test_a_row_whose_review_failed_keeps_its_vote_and_says_so(book: ReviewBook) -> None:
    (first, *_) = apply(book, Review(row=10, failed=True, source="llm", reason="It was refused."))
    assert (first["label"], first["source"], first["confidence"]) == ("bad", "vote", 0.6)
    assert (first["review_label"], first["review_failed"], first["reason"]) == (None, True, "It was refused.")


def test_only_a_real_label_is_one() -> None:
    assert [read_answer(said) for said in ("good", "cannot tell", None)] == ["good", None, None]


def test_votes_are_given_only_where_they_are_to_be_shown(book: ReviewBook) -> None:
    step = ReviewStep(number=2, reviews=book, rows=STAGE)
    hidden, shown = (step.gather_rows(make_table(), np.array([1, 0]), show_votes=show) for show in (False, True))
    assert [(row.row, row.text, row.text_pair) for row in hidden] == [(11, TEXTS[1], None), (10, TEXTS[0], None)]
    assert [row.votes for row in hidden] == [{}, {}]
    assert [row.votes for row in shown] == [{"owner--one": "bad", "owner--two": "good"}] * 2
    assert [row.text for row in shown] == [row.text for row in hidden]


def test_examples_are_the_rows_that_earlier_steps_decided(book: ReviewBook, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    texts = [f"text {number}" for number in range(12)]
    table = pa.table({ROW: range(12), ROW_ID: list(map(str, range(12))), TEXT: texts, "other": [1] * 12})
    pq.write_table(table, folder.input, row_group_size=5)
    for step, row, label in ((0, 3, "good"), (1, 11, "bad"), (2, 4, "good")):
        review = Review(row=row, label=label, source="llm")
        book.record([key_of_text(texts[row])], [BookedReview(step=step, row_id=str(row), review=review)])
    known = ReviewStep(number=2, reviews=book, rows=STAGE).gather_known(folder, 5)
    assert [(one.text, one.labels) for one in known] == [("text 11", ("bad",)), ("text 3", ("good",))]
    assert ReviewStep(number=0, reviews=book, rows=STAGE).gather_known(folder, 5) == ()


def test_answers_that_later_steps_paid_for_are_taken_where_a_run_is_opened_again(book: ReviewBook) -> None:
    """The first text was answered in a spot check of this stage, the second as a row of a later stage."""
    ReviewStep(number=7, reviews=book, rows=STAGE).book([Review(row=10, label="good", source="llm")], inclusion=0.1)
    elsewhere = BookedReview(step=9, row_id="id-40", review=Review(row=40, label="bad", source="llm"))
    book.record([key_of_text(TEXTS[1])], [elsewhere])
    step = ReviewStep(number=2, reviews=book, rows=STAGE)
    assert step.eligible.tolist() == [True, True, True, False, False]
    for _ in range(2):  # a step that was interrupted recalls them again
        recalled = step.recall(np.array([2, 1, 0]), 1.0)
        assert {one.row: one.label for one in recalled} == {11: "bad", 10: "good"}
    later = ReviewStep(number=3, reviews=book, rows=STAGE)
    assert [one and (one.step, one.row_id, one.inclusion) for one in later.own()[:3]] == [
        (2, "id-10", 1.0),
        (2, "id-11", 1.0),
        None,
    ]
    assert later.eligible.tolist() == [False, False, True, False, False]


def test_an_audited_row_is_never_chosen_to_teach(book: ReviewBook) -> None:
    audited = BookedReview(step=900, row_id="id-11", review=Review(row=11, label="bad", source="llm"))
    book.record([key_of_bytes(TEXTS[1])], [audited])
    step = ReviewStep(number=2, reviews=book, rows=STAGE)
    assert step.eligible.tolist() == [True, False, True, False, False]
