"""Reviews of one step of a run: which rows may be chosen, and what their answers do to the stage's labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from agents.base import KnownRow, ReviewRow
from graphs.tables import StageRows, read_texts
from records.folder import RunFolder
from records.review_book import FIRST_STEP, BookedReview, ReviewBook, key_of_bytes, key_of_text
from records.rows import ROW, Answer, Review
from records.task import CANNOT_TELL
from specialists.arrays import Booleans, Floats, Integers
from specialists.label_space import LabelSpace

MOST_KNOWN = 2000
"""Decided rows among which a reviewer's examples are looked for."""

GOLD_STEP, PROBE_STEP = FIRST_STEP, FIRST_STEP + 1
"""The steps before the first stage: labels that the person gave, and the reviews of the audition's probe."""

CALIBRATION_STEP = FIRST_STEP - 1
"""That of the reviewer's answers to rows whose labels the person gave: they decide no label."""

EVIDENCE, TRUTH = frozenset({"llm"}), frozenset({"gold", "human"})
"""Whose answers the vote learns from. The reviewer without a language model only repeats what the specialists say."""

StepKind = Literal["risk", "spot_check", "relabel"]
"""The steps of a stage, in their order."""

MOST_ROUNDS = 62
"""Rounds of reviews for risk in a stage."""


def number_step(stage: int, kind: StepKind, round_: int = 0) -> int:
    """Return the number of a step: it grows with every step of a run. Only reviews for risk have rounds."""
    kinds = get_args(StepKind)
    return (MOST_ROUNDS + len(kinds) - 1) * stage + (MOST_ROUNDS - 1 + kinds.index(kind) if kind != "risk" else round_)


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
        return [key_of_text(*text) for text in self.rows.text]

    @cached_property
    def eligible(self) -> Booleans:
        """(n_rows,): rows that have a text which no earlier step reviewed, the first of its kind in this stage. A row
        that was audited, in a run that is opened again, teaches nothing."""
        first = np.zeros(len(self.keys), dtype=np.bool_)
        first[np.unique(self.keys, return_index=True)[1]] = True
        known = np.array([one is not None for one in self.booked()], dtype=np.bool_)
        exact = [key_of_bytes(*text) for text in self.rows.text]
        found = self.reviews.find(exact)
        audited = np.array([key in found for key in exact], dtype=np.bool_)
        return first & ~self.rows.empty & ~known & ~audited

    def gather_rows(self, table: pa.Table, chosen: Integers, *, show_votes: bool) -> tuple[ReviewRow, ...]:
        """Return the chosen rows, with what each specialist said only where the reviewer is to see it.

        `table` holds the stage's labels (n_rows,), `chosen` (n_chosen,) the places of rows in it.
        """
        ballots: list[Any] = table["votes"].to_pylist()
        return tuple(
            ReviewRow(
                row=int(self.rows.number[index]),
                **self.rows.text[index]._asdict(),
                votes=read_ballots(ballots[index]) if show_votes else {},
            )
            for index in chosen
        )

    def recall(self, chosen: Integers, inclusion: float) -> tuple[Review, ...]:
        """Return the answers that there are to the chosen rows (n_chosen,), written down at this step from now on.

        There are some where a run is opened again at an earlier stage: no answer is paid for twice.
        """
        found = self.reviews.find([self.keys[place] for place in chosen.tolist()])
        known = {place: found[self.keys[place]] for place in chosen.tolist() if self.keys[place] in found}
        moved = [
            BookedReview(
                step=self.number,
                row_id=self.rows.row_id[place],
                review=one.review.model_copy(update={"row": int(self.rows.number[place])}),
                inclusion=inclusion,
            )
            for place, one in known.items()
        ]
        self.reviews.move([self.keys[place] for place in known], moved)
        return tuple(one.review for one in moved)

    def gather_known(self, folder: RunFolder, shard_size: int) -> tuple[KnownRow, ...]:
        """Return the rows that earlier steps decided, the latest first, MOST_KNOWN at most."""
        return gather_known(self.reviews, self.number, folder, shard_size)

    def book(self, reviews: Sequence[Review], inclusion: float = 1.0) -> None:
        """Write answers for rows of this stage down; `inclusion`: the probability with which each was chosen."""
        places = [review.row - int(self.rows.number[0]) for review in reviews]
        booked = [
            BookedReview(step=self.number, row_id=self.rows.row_id[place], review=review, inclusion=inclusion)
            for place, review in zip(places, reviews, strict=True)
        ]
        self.reviews.record([self.keys[place] for place in places], booked)

    def own(self) -> list[BookedReview | None]:
        """Return for each row the review that it has had itself before this step."""
        return [
            one if one is not None and one.review.row == number else None
            for one, number in zip(self.booked(), self.rows.number.tolist(), strict=True)
        ]

    def booked(self) -> list[BookedReview | None]:
        """Return for each row the review that its text has had before this step."""
        found = {key: one for key, one in self.reviews.find(self.keys).items() if one.step < self.number}
        return [found.get(key) for key in self.keys]


@dataclass(frozen=True)
class Testimony:
    """What was said of rows that somebody labelled, arrays (n_rows,) as `specialists.calibrated_vote.ReviewedRows` has
    them: the codes of the reviewer's answers and of the truth, how sure the reviewer was, and how probable it was to
    choose the row."""

    answers: Integers
    truth: Integers
    sureness: Floats
    inclusion: Floats


def read_ballots(votes: Sequence[tuple[str, str | list[str]]]) -> dict[str, Answer]:
    """Return model → answer from a value of the column `votes`."""
    return {model: tuple(said) if isinstance(said, list) else said for model, said in votes}


def gather_testimony(reviews: ReviewBook, booked: Sequence[BookedReview], space: LabelSpace) -> Testimony:
    """Return what the given labelled rows teach; of a row whose true label is known also what the reviewer, asked, said
    of it. How sure people and gold rows are is no question."""
    asked = {one.review.row: one.review for one in reviews.list_step(CALIBRATION_STEP)}
    said = [asked.get(one.review.row) if one.review.source in TRUTH else one.review for one in booked]
    return Testimony(
        answers=space.encode_all([None if one is None else one.answer for one in said]),
        truth=space.encode_all([one.review.answer if one.review.source in TRUTH else None for one in booked]),
        sureness=read_sureness(said),
        inclusion=np.array([one.inclusion for one in booked], dtype=np.float64),
    )


def read_sureness(reviews: Sequence[Review | None]) -> Floats:
    """Return how sure a reviewer says it is (n_reviews,), NaN where it gave no answer or does not say."""
    sure = [one.sureness if one is not None and one.answer is not None else None for one in reviews]
    return np.array([np.nan if one is None else one for one in sure], dtype=np.float64)


def gather_known(reviews: ReviewBook, before_step: int, folder: RunFolder, shard_size: int) -> tuple[KnownRow, ...]:
    """Return the rows that were decided before a step, the latest first, MOST_KNOWN at most."""
    known = [booked.review for booked in reviews.list_labelled(before_step, MOST_KNOWN)]
    texts = read_texts(folder, [review.row for review in known], shard_size)
    return tuple(
        KnownRow(**text._asdict(), labels=(review.label,) if review.label is not None else review.labels or ())
        for text, review in zip(texts, known, strict=True)
    )


def apply_reviews(
    table: pa.Table,
    booked: Sequence[BookedReview | None],
    decided: Sequence[tuple[Answer, float] | None] | None = None,
) -> pa.Table:
    """Return the stage's labels with the reviews in them; a row that shares another's review says whose.

    `decided` (n_rows,): label and its probability where the vote weighed the answer as evidence; None where the answer
    stands as it was given.
    """
    rows = table.to_pylist()
    undecided = (CANNOT_TELL,) if pa.types.is_list(table.schema.field("review_label").type) else CANNOT_TELL
    for row, one, weighed in zip(rows, booked, decided or [None] * len(rows), strict=True):
        if one is None:
            continue
        review = one.review
        row["review_label"] = undecided if review.undecided else review.answer
        row["review_failed"] = review.failed
        row["reason"] = review.reason or None
        row["copied_from"] = one.row_id if review.row != row[ROW] else None
        if review.answer is not None and weighed is not None:
            row["label"], row["confidence"] = weighed
            row["source"] = review.source if review.answer == row["label"] else "vote"
        elif review.answer is not None:
            row["label"], row["source"], row["confidence"] = review.answer, review.source, _read_confidence(review)
    return pa.Table.from_pylist(rows, schema=table.schema)


def _read_confidence(review: Review) -> float | None:
    """Return the probability that an answer is right which stands as it was given: what gold rows and people say is
    the truth. How sure a language model says it is has not been calibrated, and stays in the review book."""
    if review.source in TRUTH:
        return 1.0
    return review.sureness if review.source == "offline" else None
