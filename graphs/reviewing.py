"""Reviews of one step of a run: which rows may be chosen, and what their answers do to the stage's labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from agents.base import KnownRow, ReviewRow
from graphs.tables import STAGE_LABELS, StageRows, read_texts
from records.folder import RunFolder
from records.review_book import BookedReview, ReviewBook, key_of_text
from records.rows import ROW, Review
from records.task import CANNOT_TELL
from specialists.arrays import Booleans, Integers

MOST_KNOWN = 2000
"""Decided rows among which a reviewer's examples are looked for."""

GOLD_STEP, PROBE_STEP = -2, -1
"""The steps before the first stage: labels that the person gave, and the reviews of the audition's probe."""

StepKind = Literal["risk", "spot_check", "relabel"]
"""The steps of a stage, in their order."""


def number_step(stage: int, kind: StepKind) -> int:
    """Return the number of a step: it grows with every step of a run."""
    kinds = get_args(StepKind)
    return len(kinds) * stage + kinds.index(kind)


@dataclass(frozen=True)
class ReviewStep:
    """One step: the risky rows of a stage, its spot check, or its relabel. Steps are numbered in their order.

    Choices rest on earlier steps only, so that a step that was interrupted chooses the same rows again.
    """

    number: int
    reviews: ReviewBook
    rows: StageRows

    @cached_property
    def keys(self) -> list[str]:
        return [key_of_text(text) for text in self.rows.text]

    @cached_property
    def eligible(self) -> Booleans:
        """(n_rows,): rows that have a text which no earlier step reviewed, the first of its kind in this stage."""
        before = {key for key, booked in self.reviews.find(self.keys).items() if booked.step < self.number}
        first = np.zeros(len(self.keys), dtype=np.bool_)
        first[np.unique(self.keys, return_index=True)[1]] = True
        return first & ~self.rows.empty & np.array([key not in before for key in self.keys], dtype=np.bool_)

    def gather_rows(self, table: pa.Table, chosen: Integers, *, show_votes: bool) -> tuple[ReviewRow, ...]:
        """Return the chosen rows, with what each specialist said only where the reviewer is to see it.

        `table` holds the stage's labels (n_rows,), `chosen` (n_chosen,) the places of rows in it.
        """
        ballots: list[Any] = table["votes"].to_pylist()
        return tuple(
            ReviewRow(
                row=int(self.rows.number[index]),
                text=self.rows.text[index],
                votes=dict(ballots[index]) if show_votes else {},
            )
            for index in chosen
        )

    def gather_known(self, folder: RunFolder, shard_size: int) -> tuple[KnownRow, ...]:
        """Return the rows that earlier steps decided, the latest first, MOST_KNOWN at most."""
        return gather_known(self.reviews, self.number, folder, shard_size)

    def book(self, chosen: Integers, reviews: Sequence[Review]) -> None:
        """Write the answers for the chosen rows down."""
        booked = [
            BookedReview(step=self.number, row_id=self.rows.row_id[index], review=review)
            for index, review in zip(chosen, reviews, strict=True)
        ]
        self.reviews.record([self.keys[index] for index in chosen], booked)

    def booked(self) -> list[BookedReview | None]:
        """Return for each row the review that its text has had so far."""
        found = self.reviews.find(self.keys)
        return [found.get(key) for key in self.keys]


def gather_known(reviews: ReviewBook, before_step: int, folder: RunFolder, shard_size: int) -> tuple[KnownRow, ...]:
    """Return the rows that were decided before a step, the latest first, MOST_KNOWN at most."""
    known = [booked.review for booked in reviews.list_labelled(before_step, MOST_KNOWN)]
    texts = read_texts(folder, [review.row for review in known], shard_size)
    return tuple(
        KnownRow(text=text, labels=(review.label,) if review.label is not None else review.labels or ())
        for text, review in zip(texts, known, strict=True)
    )


def apply_reviews(table: pa.Table, booked: Sequence[BookedReview | None]) -> pa.Table:
    """Return the stage's labels with the reviews in them; a row that shares another's review says whose."""
    rows = table.to_pylist()
    for row, one in zip(rows, booked, strict=True):
        if one is None:
            continue
        review = one.review
        row["review_label"] = CANNOT_TELL if review.undecided else review.label
        row["review_failed"] = review.failed
        row["reason"] = review.reason or None
        row["copied_from"] = one.row_id if review.row != row[ROW] else None
        if review.label is not None:
            # How sure a language model says it is has not been calibrated: it stays in the review book.
            confidence = review.sureness if review.source == "offline" else None
            row["label"], row["source"], row["confidence"] = review.label, review.source, confidence
    return pa.Table.from_pylist(rows, schema=STAGE_LABELS)
