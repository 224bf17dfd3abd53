"""Decisions where a text may have any number of labels: each label is a problem of its own with two classes.

A label's probability comes from the calibrated vote of its two classes, "not" (0) and "has it" (1): binary relevance
(Tsoumakas and Katakis 2007). The label is given from a threshold of its own on. The threshold maximises the label's
expected F1, as labels of a multi-label task are mostly rare: by accuracy the threshold would be 0.5 for all, and a rare
label would hardly ever be given. For calibrated probabilities it is half the best F1 that any threshold reaches, so
never above 0.5 (Lipton, Elkan and Narayanaswamy 2014); taken so it is steadier than the place of the maximum.

What a threshold t says is that a label wrongly left out costs (1 - t) / t times as much as one wrongly given (Elkan
2001); a review's value counts errors at these prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specialists.arrays import Booleans, Floats, Integers
from specialists.calibrated_vote import (
    LEAST_TAUGHT,
    FittedVote,
    ReviewedRows,
    VoteModel,
    apply_vote,
    fit_vote,
    score_rows,
    weigh_rows,
)
from specialists.embedding import Matrix
from specialists.review_value import expect_removed_errors

PLAIN_THRESHOLD = 0.5
LEAST_THRESHOLD = 0.1
"""Without it, a label that nothing tells of would be given to all rows: that maximises its F1 (Lipton et al.), and is
of no use."""


@dataclass(frozen=True)
class ReviewedSets:
    """What a run knows of the rows that somebody labelled, as `ReviewedRows` with a column for each label.

    `probs` (n_specialists, n_rows, n_labels): each label's own probability; `answers`, `truth` (n_rows, n_labels): 1
    where the row was given the label, 0 where not, NOT_ASKED; `states`, `sureness` and `inclusion` as there.
    """

    probs: Floats
    states: Floats | Matrix | None
    answers: Integers
    truth: Integers
    sureness: Floats
    inclusion: Floats


@dataclass(frozen=True)
class LabelModel:
    """The parameters of one label: its vote between "not" and "has it", and the threshold on the latter."""

    vote: VoteModel
    threshold: float

    @property
    def prices(self) -> Floats:
        """What a right decision is worth (2,), for rows without the label and with it: 1 and 1 at a threshold of
        0.5."""
        return 2.0 * np.array([self.threshold, 1.0 - self.threshold])


@dataclass(frozen=True)
class FittedSets:
    """The labels' models, and of the rows that taught them each label's probability (n_rows, n_labels), out of fold
    before the reviewer's answer and after it."""

    models: tuple[LabelModel, ...]
    before: Floats
    after: Floats


@dataclass(frozen=True)
class SetDecisions:
    """`given` (n_rows, n_labels): the labels that each row gets; `confidence` (n_rows,): the probability that all of
    them are right and none is missing, with the labels taken as independent given the text."""

    given: Booleans
    confidence: Floats

    @property
    def risk(self) -> Floats:
        """The probability (n_rows,) that some label is wrong or missing."""
        return 1.0 - self.confidence


def fit_sets(rows: ReviewedSets) -> FittedSets:
    """Fit every label's vote and threshold to the reviewed rows."""
    weights = weigh_rows(rows.inclusion)
    fits = [_fit_label(rows, label) for label in range(rows.probs.shape[2])]
    before, after = (np.column_stack(columns) for columns in zip(*map(_pick_own, fits), strict=True))
    models = [
        LabelModel(fit.model, choose_threshold(before[:, label], after[:, label], weights))
        for label, fit in enumerate(fits)
    ]
    return FittedSets(tuple(models), before, after)


def apply_sets(models: Sequence[LabelModel], probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return each label's probability (n_rows, n_labels) for rows that nobody reviewed; `probs` (n_specialists,
    n_rows, n_labels)."""
    columns = [apply_vote(model.vote, split_label(probs, label), states)[:, 1] for label, model in enumerate(models)]
    return np.column_stack(columns)


def decide_sets(models: Sequence[LabelModel], probs: Floats) -> SetDecisions:
    """Return the decisions at each label's threshold from the labels' probabilities (n_rows, n_labels)."""
    given = probs >= np.array([model.threshold for model in models])
    return SetDecisions(given, np.where(given, probs, 1.0 - probs).prod(axis=1))


def value_sets(models: Sequence[LabelModel], probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return for rows that nobody reviewed (n_rows,) the errors that a review of each is expected to remove.

    A review answers for all labels at once, so theirs add up; an error counts at its label's `prices`.
    """
    values = [_value_label(model, split_label(probs, label), states) for label, model in enumerate(models)]
    return np.sum(values, axis=0)


def choose_threshold(before: Floats, after: Floats, weights: Floats) -> float:
    """Return half of the best expected F1 that a threshold on `before` reaches, at least LEAST_THRESHOLD.

    All are (n_rows,): a label's probability out of fold, its probability once the reviewer has answered, and what each
    row counts. F1 is 2 · right / (given + had), and its expectation that of the parts (Lipton et al. 2014). With fewer
    than LEAST_TAUGHT rows it is PLAIN_THRESHOLD.
    """
    if len(before) < LEAST_TAUGHT:
        return PLAIN_THRESHOLD
    order = np.argsort(-before, kind="stable")
    counts = weights[order]
    right = np.cumsum(counts * after[order])
    f1 = 2.0 * right / (np.cumsum(counts) + right[-1])
    return max(float(f1.max()) / 2.0, LEAST_THRESHOLD)


def split_label(probs: Floats, label: int) -> Floats:
    """Return a label's two classes (n_specialists, n_rows, 2) from the labels' probabilities."""
    return np.stack([1.0 - probs[:, :, label], probs[:, :, label]], axis=2)


def _fit_label(rows: ReviewedSets, label: int) -> FittedVote:
    return fit_vote(
        ReviewedRows(
            probs=split_label(rows.probs, label),
            states=rows.states,
            answers=rows.answers[:, label],
            truth=rows.truth[:, label],
            sureness=rows.sureness,
            inclusion=rows.inclusion,
        )
    )


def _pick_own(fit: FittedVote) -> tuple[Floats, Floats]:
    """Return the probability of "has it", before the answer and after it."""
    return fit.before[:, 1], fit.after[:, 1]


def _value_label(model: LabelModel, probs: Floats, states: Floats | Matrix | None) -> Floats:
    scores = score_rows(model.vote, probs, states)
    joint = model.vote.combination.expect_answers(model.vote.pool(probs), scores)
    return expect_removed_errors(joint * model.prices[:, None])
