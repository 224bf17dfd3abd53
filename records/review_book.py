"""Which texts have been reviewed already, and what was said: so that identical texts are reviewed once."""

import hashlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from records.base import Record
from records.rows import Review, Source

_TABLES = """
CREATE TABLE IF NOT EXISTS reviews (
    text_key TEXT NOT NULL PRIMARY KEY,
    step INTEGER NOT NULL,
    row INTEGER NOT NULL,
    row_id TEXT NOT NULL,
    label TEXT,
    source TEXT NOT NULL,
    sureness REAL,
    failed INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
"""
_INSERT = "INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (text_key) DO NOTHING"
_FIND = "SELECT step, row, row_id, label, source, sureness, failed, reason FROM reviews WHERE text_key = ?"


def key_of_text(text: str) -> str:
    """Return the key that texts share which are the same but for white space and case."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode("utf-8", "surrogatepass")).hexdigest()


class BookedReview(Record):
    """A review as it was written down: at which step of the run, and for which row (number and id)."""

    step: int
    row_id: str
    review: Review


class ReviewBook:
    """Reviews by the key of their text, in the ledger's SQLite file. The first review of a text stays."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES)

    def record(self, keys: Sequence[str], booked: Sequence[BookedReview]) -> None:
        """Write reviews down, all or none."""
        rows = [
            (
                key,
                one.step,
                one.review.row,
                one.row_id,
                one.review.label,
                one.review.source,
                one.review.sureness,
                one.review.failed,
                one.review.reason,
            )
            for key, one in zip(keys, booked, strict=True)
        ]
        with self._lock, self._connection:
            self._connection.executemany(_INSERT, rows)

    def find(self, keys: Sequence[str]) -> dict[str, BookedReview]:
        """Return the reviews of those of the given texts that have one."""
        found: dict[str, BookedReview] = {}
        with self._lock:
            for key in keys:
                row = self._connection.execute(_FIND, (key,)).fetchone()
                if row:
                    found[key] = _as_booked(row)
        return found

    def close(self) -> None:
        self._connection.close()


def _as_booked(row: tuple[int, int, str, str | None, Source, float | None, int, str]) -> BookedReview:
    step, number, row_id, label, source, sureness, failed, reason = row
    review = Review(row=number, label=label, source=source, sureness=sureness, failed=bool(failed), reason=reason)
    return BookedReview(step=step, row_id=row_id, review=review)
