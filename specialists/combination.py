# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The combination: the vote, the head and the reviewer as evidence of a label that nobody has seen.

A row's true label y is hidden. The specialists' vote and the head say P(y | text) = softmax(a · log vote + b · score +
c), and the reviewer, asked, says r with the probability of a confusion matrix, P(r | y): the model of Dawid and Skene
(1979) with a classifier in place of the other annotators (Raykar et al. 2010), or of a classifier taught by noisy
labels (Sukhbaatar et al. 2015). Both are fitted at once by the likelihood of the answers, so that the reviewer's
reliability is read from where the texts speak clearly and it answers otherwise. Few rows leave everything at the plain
vote and an ordinary reviewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logit, softmax

from specialists.arrays import Floats, Integers
from specialists.review_value import expect_removed_errors

DOUBT = 0.04
"""The share of rows whose label the text does not tell, however clearly it speaks. Where clear texts and answers
differ, so much is not held against the reviewer."""

RELIABILITIES = (0.96, 0.91, 0.84, 0.75, 0.64)
BELIEFS = (0.25, 0.3, 0.25, 0.12, 0.08)
"""How often a reviewer may be right, and how likely each is before anything is known. The answers seldom tell for
certain which it is, so all are fitted and averaged by how well they explain the answers, instead of one being
chosen."""

TEMPER = 0.25
"""The power of the likelihood in that average: the model is not the truth, and rows that err alike count less than
they are (Grünwald and van Ommen 2017)."""

CELL_SPREAD = 1.0
"""Standard deviation of the log-odds of a cell of the confusion matrix around those of the reviewer's reliability."""

VOTE_SPREAD, HEAD_SPREAD, BIAS_SPREAD, SURENESS_SPREAD = 1.0, 20.0, 1.0, 0.5
"""The same of the weight of the vote around 1, of the head around 0, of the labels' biases around 0, and of the weight
of what the reviewer says of its sureness around SURENESS_WEIGHT."""

SURENESS_WEIGHT = 0.3
"""What the log-odds of sureness count before it is calibrated on true labels. Without any, sureness is not read: a
reviewer is unsure where texts are hard, there the head disagrees with it too, and the likelihood would take all of that
disagreement for the reviewer's errors."""

HEAD_CELL_SPREAD = 1.0
"""The same of a label's own weight of the head around that of all labels."""

_VOTE_FLOOR = 0.01
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
        return _doubt(np.exp(log_softmax(logits, axis=1)))

    def reliability(self, sureness: Floats) -> Floats:
        """Return P(answer | label) of shape (n_rows, n_labels, n_labels); `sureness` (n_rows,) centred log-odds."""
        return np.exp(log_softmax(_move(self.confusion, self.sureness_weight, sureness), axis=2))

    def weigh_answers(self, probs: Floats, answers: Integers, sureness: Floats) -> Floats:
        """Return the posterior (n_rows, n_labels) after the answers (n_rows,); NOT_ASKED changes nothing."""
        joint = probs * _pick_answers(self.reliability(sureness), answers)
        return joint / joint.sum(axis=1, keepdims=True)


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
        parts = [one.weigh_answers(one.predict(vote, scores), answers, sureness) for one in self.members]
        return sum_weighted(self.weights, parts)

    def expect_differences(self, vote: Floats, scores: Floats) -> Floats:
        """Return for each row (n_rows,) the probability that the reviewer, asked, gives another label than the
        likeliest."""
        unsaid = np.zeros(1)
        parts = [np.einsum("nl,la->na", one.predict(vote, scores), one.reliability(unsaid)[0]) for one in self.members]
        answers = sum_weighted(self.weights, parts)
        return 1.0 - answers[np.arange(len(vote)), self.predict(vote, scores).argmax(axis=1)]

    def expect_gains(self, vote: Floats, scores: Floats) -> Floats:
        """Return for each row (n_rows,) the errors that a review is expected to remove (`expect_removed_errors`)."""
        unsaid = np.zeros(1)
        joint = [
            weight * one.predict(vote, scores)[:, :, None] * one.reliability(unsaid)
            for weight, one in zip(self.weights, self.members, strict=True)
        ]
        return expect_removed_errors(np.sum(joint, axis=0))


def sum_weighted(weights: Floats, parts: Sequence[Floats]) -> Floats:
    """Return the weighted sum of arrays of one shape."""
    return np.tensordot(weights, np.stack(parts), axes=1)


@dataclass(frozen=True)
class TaughtRows:
    """Rows of which somebody said something.

    `vote`, `scores` (n_rows, n_labels): the specialists' mean probabilities, and the head's scores out of fold.
    `answers` (n_rows,): the reviewer's labels, NOT_ASKED where only gold speaks. `truth` (n_rows,): gold labels or
    people's, which are true; NOT_ASKED where there are none. `sureness` (n_rows,) as `centre_sureness` gives it.
    `weights` (n_rows,).
    """

    vote: Floats
    scores: Floats
    answers: Integers
    truth: Integers
    sureness: Floats
    weights: Floats


def log_vote(vote: Floats) -> Floats:
    """Return the logarithm of the mean probabilities, none of them below one in a hundred."""
    return np.log(np.maximum(vote, _VOTE_FLOOR))


def centre_sureness(sureness: Floats) -> Floats:
    """Return the log-odds of what a reviewer says of its sureness, less their mean; 0 where it says nothing (NaN)."""
    said = np.isfinite(sureness)
    odds = logit(np.clip(np.where(said, sureness, 0.5), 0.001, 0.999))
    middle = float(odds[said].mean()) if said.any() else 0.0
    return np.where(said, odds - middle, 0.0)


def default_combination(n_labels: int) -> Combination:
    """Return what is believed before anything was reviewed: the plain vote, and any reviewer."""
    members = tuple(_unpack(_start(n_labels, one), n_labels) for one in RELIABILITIES)
    return Combination(members, np.array(BELIEFS))


def fit_combination(rows: TaughtRows) -> Combination:
    """Return the parameters of greatest posterior density, for each assumed reliability of the reviewer, and their
    weights.

    The same rows give the same parameters.
    """
    n_labels = rows.vote.shape[1]
    if len(rows.answers) == 0:
        return default_combination(n_labels)
    members: list[Member] = []
    costs: list[float] = []
    calibrated = bool(((rows.truth != NOT_ASKED) & (rows.answers != NOT_ASKED)).any())
    if not calibrated:
        rows = replace(rows, sureness=np.zeros_like(rows.sureness))
    flat = _start(n_labels, RELIABILITIES[0], calibrated)
    for reliability in RELIABILITIES:
        start = _start(n_labels, reliability, calibrated)
        flat[2 * n_labels + 2 :] = start[2 * n_labels + 2 :]
        problem = _Problem(rows, start)
        found = minimize(
            problem.cost,
            flat,
            jac=True,
            method="L-BFGS-B",
            bounds=_bounds(n_labels),
            options={"maxiter": 60},
        )
        flat = np.asarray(found.x, dtype=np.float64)
        members.append(_unpack(flat.copy(), n_labels))
        costs.append(float(found.fun))
    evidence: Floats = np.log(np.array(BELIEFS)) - TEMPER * np.array(costs)
    return Combination(tuple(members), np.asarray(softmax(evidence), dtype=np.float64))


class _Problem:
    """Minus the logarithm of the posterior density, and its gradient, in the parameters' flat form."""

    def __init__(self, rows: TaughtRows, start: Floats) -> None:
        self.rows = rows
        self.start = start
        self.n_labels = rows.vote.shape[1]
        self.log_vote = log_vote(rows.vote)
        known = rows.truth != NOT_ASKED
        self.possible = np.where(known[:, None], rows.truth[:, None] == np.arange(self.n_labels), 1.0)
        self.asked = rows.answers != NOT_ASKED
        self.hit = np.where(self.asked[:, None], rows.answers[:, None] == np.arange(self.n_labels), 0.0)

    def cost(self, flat: Floats) -> tuple[float, Floats]:
        rows, n_labels = self.rows, self.n_labels
        one = _unpack(flat, n_labels)
        plain = np.exp(log_softmax(one.vote_weight * self.log_vote + one.head_weight * rows.scores + one.bias, axis=1))
        probs = _doubt(plain)
        reliability = one.reliability(rows.sureness)
        likelihood = _pick_answers(reliability, rows.answers) * self.possible
        joint = probs * likelihood
        total = joint.sum(axis=1, keepdims=True)
        posterior = joint / total
        # Towards the logits of the text: through the softmax, of which DOUBT lets a part through.
        towards = (1.0 - DOUBT) * likelihood / total
        logits = rows.weights[:, None] * plain * (towards - (plain * towards).sum(axis=1, keepdims=True))
        # Towards the log-odds of the answers: what was answered, less what was to be expected.
        share = (rows.weights * self.asked)[:, None] * posterior
        cells = share[:, :, None] * (self.hit[:, None, :] - reliability)
        off = ~np.eye(n_labels, dtype=np.bool_)
        gradient = np.concatenate(
            [
                [(logits * self.log_vote).sum()],
                (logits * rows.scores).sum(axis=0),
                logits.sum(axis=0),
                [-(cells[:, off].sum(axis=1) * rows.sureness).sum()],
                cells.sum(axis=0)[off],
            ]
        )
        penalty, slope = _penalise(flat, self.start, n_labels)
        fit = float((rows.weights * np.log(total[:, 0])).sum())
        return penalty - fit, slope - gradient


def _start(n_labels: int, reliability: float, calibrated: bool = False) -> Floats:
    cells = n_labels * (n_labels - 1)
    level = np.log((1.0 - reliability) / reliability / (n_labels - 1))
    return np.concatenate([[1.0], np.zeros(2 * n_labels), [SURENESS_WEIGHT * calibrated], np.full(cells, level)])


def _bounds(n_labels: int) -> Sequence[tuple[float | None, float | None]]:
    """Neither vote nor head is read backwards: scores out of fold lean against the answers where the texts tell
    nothing."""
    free: tuple[float | None, float | None] = (None, None)
    above: tuple[float | None, float | None] = (0.0, None)
    return [above] * (n_labels + 1) + [free] * n_labels + [above] + [free] * (n_labels * (n_labels - 1))


def _unpack(flat: Floats, n_labels: int) -> Member:
    confusion = np.zeros((n_labels, n_labels))
    confusion[~np.eye(n_labels, dtype=np.bool_)] = flat[2 * n_labels + 2 :]
    return Member(
        vote_weight=float(flat[0]),
        head_weight=flat[1 : n_labels + 1],
        bias=flat[n_labels + 1 : 2 * n_labels + 1],
        confusion=confusion,
        sureness_weight=float(flat[2 * n_labels + 1]),
    )


def _penalise(flat: Floats, start: Floats, n_labels: int) -> tuple[float, Floats]:
    """Return minus the logarithm of the prior density, up to a constant, and its gradient. All is normal around
    `start`; the labels' head weights lie around a level that is normal itself."""
    spread = np.concatenate(
        [
            [VOTE_SPREAD],
            np.full(n_labels, HEAD_CELL_SPREAD),
            np.full(n_labels, BIAS_SPREAD),
            [SURENESS_SPREAD],
            np.full(n_labels * (n_labels - 1), CELL_SPREAD),
        ]
    )
    heads = slice(1, n_labels + 1)
    level = float(flat[heads].mean())
    moved = flat - start
    moved[heads] -= level
    slope = moved / spread**2
    cost = 0.5 * float(moved @ slope) + 0.5 * (level / HEAD_SPREAD) ** 2
    slope[heads] += level / HEAD_SPREAD**2 / n_labels
    return cost, slope


def _doubt(probs: Floats) -> Floats:
    return (1.0 - DOUBT) * probs + DOUBT / probs.shape[1]


def _move(confusion: Floats, weight: float, sureness: Floats) -> Floats:
    off = 1.0 - np.eye(len(confusion))
    return confusion[None] - weight * sureness[:, None, None] * off


def _pick_answers(reliability: Floats, answers: Integers) -> Floats:
    """Return P(answer | label) (n_rows, n_labels) of the answers given; 1 where nobody was asked."""
    picked = np.take_along_axis(reliability, np.maximum(answers, 0)[:, None, None], axis=2)[:, :, 0]
    return np.where((answers == NOT_ASKED)[:, None], 1.0, picked)
