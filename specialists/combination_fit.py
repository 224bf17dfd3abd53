# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""How a combination is fitted: by the likelihood of the answers, the true labels summed out.

Text and reviewer are fitted at once, so that the reviewer's reliability is read from where the texts speak clearly and
it answers otherwise. Few rows leave everything at the plain vote and an ordinary reviewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from specialists.arrays import Floats, Integers
from specialists.combination import DOUBT, NOT_ASKED, Combination, Member, log_vote

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

_MOST_STEPS = 60


@dataclass(frozen=True)
class TaughtRows:
    """Rows of which somebody said something.

    `vote`, `scores` (n_rows, n_labels): the specialists' pooled probabilities, and the head's scores out of fold.
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
            options={"maxiter": _MOST_STEPS},
        )
        flat = np.asarray(found.x, dtype=np.float64)
        members.append(_unpack(flat.copy(), n_labels))
        costs.append(float(found.fun))
    evidence: Floats = np.log(np.array(BELIEFS)) - TEMPER * np.array(costs)
    return Combination(tuple(members), np.asarray(softmax(evidence), dtype=np.float64))


class _Problem:
    """Minus the logarithm of the posterior density, and its gradient, in the parameters' flat form.

    All arrays are (n_labels, n_rows): sums over a few labels are quick along the first axis.
    """

    def __init__(self, rows: TaughtRows, start: Floats) -> None:
        self.start, self.sureness, self.weights = start, rows.sureness, rows.weights
        self.n_labels = rows.vote.shape[1]
        self.log_vote = np.ascontiguousarray(log_vote(rows.vote).T)
        self.scores = np.ascontiguousarray(rows.scores.T)
        labels = np.arange(self.n_labels)[:, None]
        self.possible = np.where(rows.truth == NOT_ASKED, 1.0, rows.truth == labels)
        self.hit = (rows.answers == labels).astype(np.float64)
        self.answers = np.maximum(rows.answers, 0)
        self.asked = rows.answers != NOT_ASKED
        self.off = ~np.eye(self.n_labels, dtype=np.bool_)

    def cost(self, flat: Floats) -> tuple[float, Floats]:
        one = _unpack(flat, self.n_labels)
        logits = one.vote_weight * self.log_vote + one.head_weight[:, None] * self.scores + one.bias[:, None]
        plain = np.exp(logits - logits.max(axis=0))
        plain /= plain.sum(axis=0)
        odds = np.where(self.off, np.exp(one.confusion), 0.0)  # of each wrong answer against the right one
        share = odds / odds.sum(axis=1, keepdims=True)
        moved = odds.sum(axis=1)[:, None] * np.exp(-one.sureness_weight * self.sureness)
        wrong = moved / (1.0 + moved)  # P(answer is wrong | label)
        said = np.where(self.hit > 0.0, 1.0 - wrong, share[:, self.answers] * wrong)
        likelihood = np.where(self.asked, said, 1.0) * self.possible
        joint = ((1.0 - DOUBT) * plain + DOUBT / self.n_labels) * likelihood
        total = joint.sum(axis=0)
        # Towards the logits of the text: through the softmax, of which DOUBT lets a part through.
        towards = (1.0 - DOUBT) * likelihood / total
        texts = self.weights * plain * (towards - (plain * towards).sum(axis=0))
        # Towards the log-odds of the answers: what was answered, less what was to be expected.
        held = self.weights * self.asked * joint / total
        cells = held @ self.hit.T - share * (held * wrong).sum(axis=1, keepdims=True)
        errors = (held * (1.0 - self.hit - wrong)).sum(axis=0)
        gradient = np.concatenate(
            [
                [(texts * self.log_vote).sum()],
                (texts * self.scores).sum(axis=1),
                texts.sum(axis=1),
                [-(errors @ self.sureness)],
                cells[self.off],
            ]
        )
        penalty, slope = _penalise(flat, self.start, self.n_labels)
        return penalty - float(self.weights @ np.log(total)), slope - gradient


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
