"""The default vote: fitted to the rows that were reviewed, applied to all shards.

`fit_vote` takes what is known of the reviewed rows and gives parameters; `apply_vote` takes these and a shard. Both
are pure: the same inputs give the same labels, so that a run which was killed and resumed decides as one that never
stopped.
"""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Floats, Integers
from specialists.calibration import Calibration, estimate_confusion, fit_calibration
from specialists.combination import NOT_ASKED, Combination, centre_sureness, find_middle
from specialists.combination_fit import TaughtRows, default_combination, fit_combination
from specialists.embedding import Matrix
from specialists.head import Head, fit_head

LEAST_TAUGHT = 30
"""Fewer reviewed rows teach no head: the plain vote stands."""

MOST_WEIGHT = 5.0
"""A row that was drawn rarely stands for many; above this one row would decide too much (truncated importance weights,
Ionides 2008)."""

MOST_MATRIX_WEIGHT = 50.0
"""The same where a confusion matrix is counted: reviewed rows are mostly those on which specialists differ, and with
little weight on the others these would look worse than they are."""

_OPINION_SCALE = 0.2
"""How much the specialists' log-probabilities count beside the embedding, whose rows have length one."""
_FLOOR = 0.01


@dataclass(frozen=True)
class ReviewedRows:
    """What a run knows of the rows that somebody labelled, all that a fit needs.

    `probs` (n_specialists, n_rows, n_labels); `states` (n_rows, n_coordinates), the specialists' hidden states as
    `Embedding.embed` gives them, or None where there are none; `answers`, `truth` (n_rows,) label indices or NOT_ASKED
    (-1); `sureness` (n_rows,) in (0, 1), NaN where the reviewer does not say; `inclusion` (n_rows,) in (0, 1]: the
    probability with which each row was chosen.
    """

    probs: Floats
    states: Floats | Matrix | None
    answers: Integers
    truth: Integers
    sureness: Floats
    inclusion: Floats


@dataclass(frozen=True)
class VoteModel:
    """The parameters of the vote; `head` and `calibration` are None where too few rows taught them. `confusion`
    (n_specialists, n_labels, n_labels): P(the specialist's label | label), as estimated. `sureness_middle`: the mean
    log-odds of the reviewer's sureness, around which it is read."""

    head: Head | None
    calibration: Calibration | None
    combination: Combination
    confusion: Floats
    sureness_middle: float

    def pool(self, probs: Floats) -> Floats:
        """Return the specialists' vote (n_rows, n_labels), which the combination weighs, from `probs` (n_specialists,
        n_rows, n_labels)."""
        return probs.mean(axis=0) if self.calibration is None else self.calibration.pool(probs)


@dataclass(frozen=True)
class FittedVote:
    """A model, and of the rows that taught it: their probabilities (n_rows, n_labels) out of fold before the reviewer's
    answer, and after it. Where the truth is known the latter are certain."""

    model: VoteModel
    before: Floats
    after: Floats


def fit_vote(rows: ReviewedRows) -> FittedVote:
    """Fit the specialists' calibration, the head, the combination and the reviewer's reliability to the reviewed rows.

    With fewer than LEAST_TAUGHT rows, the plain vote and an ordinary reviewer. Raises ValueError for a row that has
    neither an answer nor a truth.
    """
    unknown = (rows.answers == NOT_ASKED) & (rows.truth == NOT_ASKED)
    if unknown.any():
        raise ValueError(f"{int(unknown.sum())} of {len(unknown)} rows have neither an answer nor a truth")
    n_labels = rows.probs.shape[2]
    middle, weights = find_middle(rows.sureness), weigh_rows(rows.inclusion)
    sureness = centre_sureness(rows.sureness, middle)
    vote = rows.probs.mean(axis=0)
    head, calibration, scores = None, None, np.zeros_like(vote)
    combination = default_combination(n_labels)
    if len(rows.answers) >= LEAST_TAUGHT:
        believed = _believe(combination.weigh_answers(vote, scores, rows.answers, sureness), rows.truth)
        calibration = fit_calibration(rows.probs, believed, weights)
        vote = calibration.pool(rows.probs)
        said = np.where(rows.truth == NOT_ASKED, rows.answers, rows.truth)
        head, scores = fit_head(_design(rows.probs, rows.states), np.eye(n_labels)[said], np.ones(len(said)))
        combination = fit_combination(TaughtRows(vote, scores, rows.answers, rows.truth, sureness, weights))
    before = combination.predict(vote, scores)
    after = _believe(combination.weigh_answers(vote, scores, rows.answers, sureness), rows.truth)
    confusion = estimate_confusion(rows.probs, after, weigh_rows(rows.inclusion, MOST_MATRIX_WEIGHT))
    return FittedVote(VoteModel(head, calibration, combination, confusion, middle), before, after)


def weigh_rows(inclusion: Floats, most: float = MOST_WEIGHT) -> Floats:
    """Return what each reviewed row counts (n_rows,): 1 / inclusion probability, at most `most` times the least, and 1
    on average, so that the rows together count as many as they are."""
    if len(inclusion) == 0:
        return np.ones(0)
    weights = 1.0 / inclusion
    weights = np.minimum(weights, most * weights.min())
    return weights / weights.mean()


def apply_vote(model: VoteModel, probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return the labels' probabilities (n_rows, n_labels) of rows that nobody reviewed.

    `probs` (n_specialists, n_rows, n_labels), `states` (n_rows, n_coordinates) as those that the model was fitted to.
    """
    return model.combination.predict(model.pool(probs), score_rows(model, probs, states))


def value_reviews(model: VoteModel, probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return for rows that nobody reviewed (n_rows,) the errors that a review of each is expected to remove."""
    return model.combination.expect_gains(model.pool(probs), score_rows(model, probs, states))


def score_rows(model: VoteModel, probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return the head's scores (n_rows, n_labels) of rows that did not teach it; zeros where there is no head."""
    if model.head is None:
        return np.zeros(probs.shape[1:])
    return model.head.score(_design(probs, states))


def _believe(posterior: Floats, truth: Integers) -> Floats:
    """Return the posterior (n_rows, n_labels), certain where the truth (n_rows,) is known."""
    known = truth != NOT_ASKED
    believed = posterior.copy()
    believed[known] = np.eye(posterior.shape[1])[truth[known]]
    return believed


def _design(probs: Floats, states: Floats | Matrix | None) -> Floats:
    """Return the head's columns (n_rows, n_columns): every specialist's log-probabilities, and the embedded states."""
    logs = np.log(np.maximum(probs, _FLOOR))
    logs = (logs - logs.mean(axis=2, keepdims=True)) * (_OPINION_SCALE / np.sqrt(len(probs)))
    opinions = np.concatenate(list(logs), axis=1)
    if states is None:
        return opinions
    return np.column_stack([opinions, states.astype(np.float64)])
