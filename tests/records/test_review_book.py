"""The review book: identical texts are reviewed once, and what was said survives a kill."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from records.ledger import Ledger
from records.review_book import BookedReview, ReviewBook, key_of_text
from records.rows import Review


def booked(row: int, label: str | None, step: int = 1) -> BookedReview:
    failed = label is None
    review = Review(row=row, label=label, source="llm", sureness=0.5, failed=failed, reason="unsure" if failed else "")
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
        ledger.record({"q": 1}, "yes", role="reviewer", model="m", prompt_hash="p", tokens_in=1, tokens_out=1)
        assert len(ledger.spending()) == 1
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
