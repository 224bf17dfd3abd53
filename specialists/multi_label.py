"""Decisions where a text may have any number of labels: each label is a problem of its own with two classes.

A label's probability comes from the calibrated vote of its two classes, "not" (0) and "has it" (1): binary relevance
(Tsoumakas and Katakis 2007). The label is given from a threshold of its own on. The threshold maximises the label's
expected F1, as labels of a multi-label task are mostly rare: by accuracy the threshold would be 0.5 for all, and a rare
label would hardly ever be given. For calibrated probabilities it is half the best F1 that any threshold reaches, so
never above 0.5 (Lipton, Elkan and Narayanaswamy 2014); taken so it is steadier than the place of the maximum.
"""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Floats, Integers
from specialists.calibrated_vote import LEAST_TAUGHT, FittedVote, ReviewedRows, VoteModel, fit_vote, weigh_rows
from specialists.embedding import Matrix
from specialists.label_space import PLAIN_THRESHOLD, split_label

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


@dataclass(frozen=True)
class FittedSets:
    """The labels' models, and of the rows that taught them each label's probability (n_rows, n_labels), out of fold
    before the reviewer's answer and after it."""

    models: tuple[LabelModel, ...]
    before: Floats
    after: Floats


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
