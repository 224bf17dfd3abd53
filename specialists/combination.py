# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The combination: the vote, the head and the reviewer as evidence of a label that nobody has seen.

A row's true label y is hidden. The specialists' vote and the head say P(y | text) = softmax(a · log vote + b · score +
c), and the reviewer, asked, says r with the probability of a confusion matrix, P(r | y): the model of Dawid and Skene
(1979) with a classifier in place of the other annotators (Raykar et al. 2010), or of a classifier taught by noisy
labels (Sukhbaatar et al. 2015). How the parameters are fitted stands in `combination_fit.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logit

from specialists.arrays import Floats, Integers
from specialists.review_value import expect_removed_errors

DOUBT = 0.04
"""The share of rows whose label the text does not tell, however clearly it speaks. Where clear texts and answers
differ, so much is not held against the reviewer."""

_VOTE_FLOOR = 0.01
_SURENESS_BOUNDS = (0.001, 0.999)
NOT_ASKED = -1


@dataclass(frozen=True)
class Member:
    """The parameters under one assumed reliability: the weight of the vote, those of the head for each label,
    `head_weight` (n_labels,), `bias` (n_labels,), `confusion` (n_labels, n_labels) of log-odds against the right
    answer (0 on the diagonal), and how sureness moves these."""

    vote_weight: float
    head_weight: Floats
    bias: Floats
    confusion: Floats
    sureness_weight: float

    def predict(self, vote: Floats, scores: Floats) -> Floats:
        """Return the labels' probabilities (n_rows, n_labels) before a review, from `vote` and `scores` of that
        shape."""
        logits = self.vote_weight * log_vote(vote) + self.head_weight * scores + self.bias
        plain = np.exp(log_softmax(logits, axis=1))
        return (1.0 - DOUBT) * plain + DOUBT / plain.shape[1]

    def reliability(self, sureness: Floats) -> Floats:
        """Return P(answer | label) of shape (n_rows, n_labels, n_labels); `sureness` (n_rows,) centred log-odds."""
        off = 1.0 - np.eye(len(self.confusion))
        moved = self.confusion[None] - self.sureness_weight * sureness[:, None, None] * off
        return np.exp(log_softmax(moved, axis=2))


@dataclass(frozen=True)
class Combination:
    """The members, and what each counts, `weights` (n_members,), summing to 1."""

    members: tuple[Member, ...]
    weights: Floats

    def predict(self, vote: Floats, scores: Floats) -> Floats:
        """Return the labels' probabilities (n_rows, n_labels) of rows that nobody reviewed."""
        return sum_weighted(self.weights, [one.predict(vote, scores) for one in self.members])

    def weigh_answers(self, vote: Floats, scores: Floats, answers: Integers, sureness: Floats) -> Floats:
        """Return the posterior (n_rows, n_labels) after the reviewer's answers (n_rows,); NOT_ASKED changes nothing."""
        parts: list[Floats] = []
        for one in self.members:
            joint = one.predict(vote, scores) * _pick_answers(one.reliability(sureness), answers)
            parts.append(joint / joint.sum(axis=1, keepdims=True))
        return sum_weighted(self.weights, parts)

    def expect_answers(self, vote: Floats, scores: Floats) -> Floats:
        """Return P(label, answer) before a review (n_rows, n_labels, n_labels)."""
        unsaid = np.zeros(1)
        parts = [one.predict(vote, scores)[:, :, None] * one.reliability(unsaid) for one in self.members]
        return sum_weighted(self.weights, parts)

    def expect_differences(self, vote: Floats, scores: Floats) -> Floats:
        """Return for each row (n_rows,) the probability that the reviewer, asked, gives another label than the
        likeliest."""
        joint = self.expect_answers(vote, scores)
        return 1.0 - joint.sum(axis=1)[np.arange(len(vote)), joint.sum(axis=2).argmax(axis=1)]

    def expect_gains(self, vote: Floats, scores: Floats) -> Floats:
        """Return for each row (n_rows,) the errors that a review is expected to remove (`expect_removed_errors`)."""
        return expect_removed_errors(self.expect_answers(vote, scores))


def sum_weighted(weights: Floats, parts: Sequence[Floats]) -> Floats:
    """Return the weighted sum of arrays of one shape."""
    return np.tensordot(weights, np.stack(parts), axes=1)


def log_vote(vote: Floats) -> Floats:
    """Return the logarithm of pooled probabilities, none of them below one in a hundred."""
    return np.log(np.maximum(vote, _VOTE_FLOOR))


def find_middle(sureness: Floats) -> float:
    """Return the mean log-odds of what a reviewer says of its sureness (n_rows,), NaN where it says nothing."""
    said = sureness[np.isfinite(sureness)]
    return float(logit(np.clip(said, *_SURENESS_BOUNDS)).mean()) if len(said) else 0.0


def centre_sureness(sureness: Floats, middle: float) -> Floats:
    """Return the log-odds of what a reviewer says of its sureness (n_rows,), less their `middle` over the rows that
    taught; 0 where it says nothing."""
    said = np.isfinite(sureness)
    odds = logit(np.clip(np.where(said, sureness, 0.5), *_SURENESS_BOUNDS))
    return np.where(said, odds - middle, 0.0)


def _pick_answers(reliability: Floats, answers: Integers) -> Floats:
    """Return P(answer | label) (n_rows, n_labels) of the answers given; 1 where nobody was asked."""
    picked = np.take_along_axis(reliability, np.maximum(answers, 0)[:, None, None], axis=2)[:, :, 0]
    return np.where((answers == NOT_ASKED)[:, None], 1.0, picked)
