"""The review book: identical texts are reviewed once, and what was said survives a kill."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from pydantic import ValidationError

from records.errors import RunFolderError
from records.ledger import Capabilities, Ledger
from records.review_book import BookedReview, ReviewBook, key_of_answer, key_of_bytes, key_of_text
from records.rows import Review


def booked(row: int, label: str | None, step: int = 1, **fields) -> BookedReview:
    given = {"label": label} if label is not None else {"failed": True, "reason": "refused"}
    review = Review(row=row, **{"source": "llm", "sureness": 0.5, "sureness_from": "stated", **given, **fields})
    return BookedReview(step=step, row_id=f"id-{row}", review=review)


@pytest.fixture
def book(tmp_path):
    with closing(ReviewBook(tmp_path / "ledger.sqlite")) as book:
        yield book


def test_texts_that_differ_in_white_space_and_case_share_a_key():
    assert key_of_text(" A  fine\nFilm ") == key_of_text("a fine film")
    assert key_of_text("a fine film") != key_of_text("a fine film!")


def test_a_review_is_found_as_it_was_written_down(book):
    reviews = [booked(3, "good"), booked(5, None)]
    book.record(["a", "b"], reviews)
    assert book.find(["b", "a", "c"]) == {"a": reviews[0], "b": reviews[1]}


@pytest.mark.parametrize(
    "fields",
    [
        {"undecided": True, "sureness_from": "logprob"},
        {"labels": ("good", "bad")},
        {"labels": ()},
        {"label": "good", "source": "offline"},
    ],
)
def test_every_kind_of_answer_comes_back(book, fields):
    review = BookedReview(step=1, row_id="x", review=Review(row=3, **{"source": "llm", "sureness": 0.5, **fields}))
    book.record(["a"], [review])
    assert book.find(["a"]) == {"a": review}


@pytest.mark.parametrize(
    "fields",
    [{}, {"label": "good", "failed": True}, {"label": "good", "labels": ("good",)}, {"labels": (), "undecided": True}],
)
def test_a_review_says_one_thing(fields):
    with pytest.raises(ValidationError, match="one of label, labels, undecided and failed"):
        Review(row=1, source="llm", **fields)


def test_decided_rows_are_those_with_a_label_from_someone_who_knows(book):
    reviews = [
        booked(1, "good", step=0), booked(2, None, step=0), booked(3, "bad", step=0),
        booked(4, None, step=1, failed=False, undecided=True), booked(5, "good", step=1, source="offline"),
        booked(6, None, step=1, failed=False, labels=()), booked(7, "good", step=2, source="human"),
        booked(8, "good", step=3, source="gold"),
    ]  # fmt: skip
    book.record([str(one.review.row) for one in reviews], reviews)
    assert [one.review.row for one in book.list_labelled(4, 10)] == [8, 7, 6, 3, 1]
    assert [one.review.row for one in book.list_labelled(3, 10)] == [7, 6, 3, 1], "never of the step itself"
    assert [one.review.row for one in book.list_labelled(3, 2)] == [7, 6], "the latest"
    assert book.list_labelled(0, 10) == ()


def test_pairs_share_a_key_only_as_pairs():
    assert key_of_text("a b", "C") == key_of_text(" A  b", "c")
    assert len({key_of_text("a b", "c"), key_of_text("a", "b c"), key_of_text("c", "a b"), key_of_text("a b c")}) == 4


def test_a_pair_is_the_same_to_the_byte_in_both_texts():
    assert key_of_bytes("a", "b") == key_of_bytes("a", "b") != key_of_bytes("a", "B")
    assert len({key_of_bytes("a b", "c"), key_of_bytes("a", "b c"), key_of_bytes("a b c")}) == 3
    assert key_of_answer("A", "b") == key_of_answer("a", "b") != key_of_answer("b", "a")


def test_a_book_of_another_version_is_named(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as old:
        old.execute("CREATE TABLE reviews (text_key TEXT PRIMARY KEY, step INTEGER, label TEXT)")
    with pytest.raises(RunFolderError, match=r"another version.*columns are label, step, text_key"):
        ReviewBook(tmp_path / "ledger.sqlite")


def test_the_first_review_of_a_text_stays(book):
    book.record(["a"], [booked(3, "good")])
    book.record(["a", "b"], [booked(4, "bad", step=2), booked(9, "bad", step=2)])
    assert book.find(["a"])["a"] == booked(3, "good")
    assert book.find(["b"])["b"].step == 2


def test_reviews_are_written_all_or_none(book):
    with pytest.raises(sqlite3.IntegrityError):
        book.record(["a", None], [booked(1, "good"), booked(2, "bad")])
    assert book.find(["a"]) == {}


def test_the_book_lies_beside_the_answers_in_one_file(book, tmp_path):
    book.record(["a"], [booked(1, "good")])
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.record_capabilities("http://localhost/v1", "m", Capabilities())
        assert ledger.find_capabilities("http://localhost/v1", "m") is not None
    assert "a" in book.find(["a"])


KILLED = """
import os, signal, sys
from pathlib import Path
from records.review_book import BookedReview, ReviewBook
from records.rows import Review
book = ReviewBook(Path(sys.argv[1]))
book.record(["a"], [BookedReview(step=1, row_id="x", review=Review(row=7, label="good", source="human"))])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_review_that_was_recorded_survives_a_kill(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with closing(ReviewBook(path)) as book:
        assert book.find(["a"])["a"].review.label == "good"
