"""Which texts have been reviewed already, and what was said: so that identical texts are reviewed once."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from records.base import Record
from records.errors import RunFolderError
from records.rows import Review, Source, SurenessFrom

_TABLES = """
CREATE TABLE IF NOT EXISTS reviews (
    text_key TEXT NOT NULL PRIMARY KEY,
    step INTEGER NOT NULL,
    row INTEGER NOT NULL,
    row_id TEXT NOT NULL,
    label TEXT,
    labels TEXT,
    undecided INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    source TEXT NOT NULL,
    sureness REAL,
    sureness_from TEXT,
    reason TEXT NOT NULL,
    inclusion REAL NOT NULL
) STRICT;
"""
_REVIEW = ("row", "label", "labels", "undecided", "failed", "source", "sureness", "sureness_from", "reason")
_COLUMNS = ("text_key", "step", "row_id", *_REVIEW, "inclusion")
_NAMES, _VALUES = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
_INSERT = f"INSERT INTO reviews ({_NAMES}) VALUES ({_VALUES}) ON CONFLICT (text_key) DO NOTHING"  # noqa: S608 (ours)
_SELECT = f"SELECT step, row_id, {', '.join(_REVIEW)}, inclusion FROM reviews"  # noqa: S608 (our own names)
_FIND = f"{_SELECT} WHERE text_key = ?"
_MOVE = "UPDATE reviews SET step = ?, row_id = ?, row = ?, inclusion = ? WHERE text_key = ?"
_LABELLED = (
    f"{_SELECT} WHERE step >= ? AND step < ? AND (label IS NOT NULL OR labels IS NOT NULL) "
    "AND source IN ('llm', 'human', 'gold') ORDER BY step DESC, row DESC LIMIT ?"
)

FIRST_STEP = -2
"""Of the labels that the person gave. What decides no label has a step before it."""

_Row = tuple[
    int, str, int, str | None, str | None, int, int, Source, float | None, SurenessFrom | None, str, float
]  # step and row_id, then _REVIEW, and inclusion


def key_of_text(text: str, text_pair: str | None = None) -> str:
    """Return the key that texts (or pairs of texts) share which are the same but for white space and case."""
    return _hash_parts(_normalise(text), None if text_pair is None else _normalise(text_pair))


def key_of_bytes(text: str, text_pair: str | None = None) -> str:
    """Return the key that only texts (or pairs) share which are the same to the byte. It is never one of
    `key_of_text`."""
    return f"bytes:{_hash_parts(text, text_pair)}"


def key_of_answer(text: str, text_pair: str | None = None) -> str:
    """Return the key of what a reviewer says of a text (or pair) whose label is known: its answer decides no label. It
    is never one of `key_of_text`."""
    return f"answer:{key_of_text(text, text_pair)}"


def key_of_row(number: int) -> str:
    """Return the key of a row for whom another with the same text is no answer. It is never one of a text's."""
    return f"row:{number}"


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


def _hash_parts(text: str, text_pair: str | None) -> str:
    return _hash(text) if text_pair is None else _hash(f"{_hash(text)} {_hash(text_pair)}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class BookedReview(Record):
    """A review as it was written down: at which step of the run, and for which row (number and id).

    `inclusion`: the probability with which the row was chosen; 1 where it was chosen for its risk.
    """

    step: int
    row_id: str
    review: Review
    inclusion: float = Field(default=1.0, gt=0, le=1)


class ReviewBook:
    """Reviews by the key of their text, in the ledger's SQLite file. The first review of a text stays.

    Raises RunFolderError where the file holds reviews of another version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES)
        found = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(reviews)")}
        if found != set(_COLUMNS):
            self._connection.close()
            raise RunFolderError(
                f"the reviews in {path} were written by another version: their columns are {', '.join(sorted(found))}, "
                f"and this version reads {', '.join(sorted(_COLUMNS))}",
                next_step="Finish the run with the version that began it, or start a new run.",
            )

    def record(self, keys: Sequence[str], booked: Sequence[BookedReview]) -> None:
        """Write reviews down, all or none."""
        rows = [
            (key, one.step, one.row_id, *_as_values(one.review), one.inclusion)
            for key, one in zip(keys, booked, strict=True)
        ]
        with self._lock, self._connection:
            self._connection.executemany(_INSERT, rows)

    def move(self, keys: Sequence[str], booked: Sequence[BookedReview]) -> None:
        """Write other steps, rows and inclusion probabilities to reviews that there are, all or none."""
        rows = [
            (one.step, one.row_id, one.review.row, one.inclusion, key) for key, one in zip(keys, booked, strict=True)
        ]
        with self._lock, self._connection:
            self._connection.executemany(_MOVE, rows)

    def find(self, keys: Sequence[str]) -> dict[str, BookedReview]:
        """Return the reviews of those of the given texts that have one."""
        found: dict[str, BookedReview] = {}
        with self._lock:
            for key in keys:
                row = self._connection.execute(_FIND, (key,)).fetchone()
                if row:
                    found[key] = _as_booked(row)
        return found

    def count_asked(self) -> int:
        """Return how many texts a language model was asked about."""
        with self._lock:
            return int(self._connection.execute("SELECT COUNT(*) FROM reviews WHERE source = 'llm'").fetchone()[0])

    def list_labelled(self, before_step: int, most: int, *, from_step: int = FIRST_STEP) -> tuple[BookedReview, ...]:
        """Return reviews that a language model, a person or gold rows decided at `from_step` or later and before a
        step, the latest first."""
        with self._lock:
            rows: list[_Row] = self._connection.execute(_LABELLED, (from_step, before_step, most)).fetchall()
        return tuple(map(_as_booked, rows))

    def list_step(self, step: int) -> tuple[BookedReview, ...]:
        """Return the reviews of one step, in the order of their rows."""
        with self._lock:
            rows: list[_Row] = self._connection.execute(f"{_SELECT} WHERE step = ? ORDER BY row", (step,)).fetchall()
        return tuple(map(_as_booked, rows))

    def close(self) -> None:
        self._connection.close()


def _as_values(review: Review) -> tuple[object, ...]:
    values = {name: getattr(review, name) for name in _REVIEW}
    return tuple({**values, "labels": None if review.labels is None else json.dumps(review.labels)}.values())


def _as_booked(row: _Row) -> BookedReview:
    step, row_id, number, label, labels, undecided, failed, source, sureness, sureness_from, reason, inclusion = row
    review = Review(
        row=number,
        label=label,
        labels=None if labels is None else tuple(json.loads(labels)),
        undecided=bool(undecided),
        failed=bool(failed),
        source=source,
        sureness=sureness,
        sureness_from=sureness_from,
        reason=reason,
    )
    return BookedReview(step=step, row_id=row_id, review=review, inclusion=inclusion)
