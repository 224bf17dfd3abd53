# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Each specialist by itself: its probabilities calibrated, and its confusion matrix.

Calibration is vector scaling (Guo et al. 2017): log-probabilities times a slope, the inverse of a temperature, plus a
bias for each label. Nobody has seen the true labels of most reviewed rows, so it is fitted to what is believed of them:
their probabilities given the answers. As beliefs may be wrong for many rows alike, specialists are moved little from
where they are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from specialists.arrays import Floats

SLOPE_SPREAD, BIAS_SPREAD = 0.3, 0.3
"""Standard deviation of a specialist's slope around 1, and of each of its biases around 0, before anything is known."""

TEMPER = 0.1
"""The power of the likelihood: beliefs are uncertain themselves, and wrong for many rows alike."""

PRIOR_ROWS = 20.0
"""Rows that a specialist's confusion matrix is worth before anything is known, spread evenly over the labels."""
PRIOR_ACCURACY = 0.7
"""How many of these it is right on."""

_FIT_FLOOR = 0.01
"""In the fit no probability is lower: a single row would count for many."""
_FLOOR = 1e-4
_LEAST_SLOPE = 0.02


@dataclass(frozen=True)
class Calibration:
    """`slope` (n_specialists,) and `bias` (n_specialists, n_labels): 1 and 0 leave probabilities as they are, but for
    those below one in ten thousand."""

    slope: Floats
    bias: Floats

    def calibrate(self, probs: Floats) -> Floats:
        """Return calibrated probabilities of the shape of `probs`, (n_specialists, n_rows, n_labels)."""
        logs = np.log(np.maximum(probs, _FLOOR))
        return np.asarray(softmax(self.slope[:, None, None] * logs + self.bias[:, None, :], axis=2))

    def pool(self, probs: Floats) -> Floats:
        """Return the vote (n_rows, n_labels): the mean of the specialists' calibrated probabilities."""
        return self.calibrate(probs).mean(axis=0)


def fit_calibration(probs: Floats, belief: Floats, weights: Floats) -> Calibration:
    """Return the slopes and biases of greatest posterior density, the likelihood tempered.

    `probs` (n_specialists, n_rows, n_labels); `belief` (n_rows, n_labels): the probability of each label, one-hot where
    it is known; `weights` (n_rows,).
    """
    fits = np.stack([_scale(one, belief, TEMPER * weights) for one in probs])
    return Calibration(fits[:, 0], fits[:, 1:])


def estimate_confusion(probs: Floats, belief: Floats, weights: Floats) -> Floats:
    """Return P(the specialist's label | label) of shape (n_specialists, n_labels, n_labels): the expected shares of the
    rows, shrunk towards a specialist that is right on PRIOR_ACCURACY of each label. Arguments as `fit_calibration`."""
    n_labels = probs.shape[2]
    errors = (1.0 - np.eye(n_labels)) / max(n_labels - 1, 1)
    prior = PRIOR_ROWS / n_labels * (PRIOR_ACCURACY * np.eye(n_labels) + (1.0 - PRIOR_ACCURACY) * errors)
    given = np.eye(n_labels)[probs.argmax(axis=2)]
    cells = np.einsum("nl,knv->klv", weights[:, None] * belief, given) + prior
    return cells / cells.sum(axis=2, keepdims=True)


def _scale(probs: Floats, belief: Floats, weights: Floats) -> Floats:
    """Return one specialist's slope and biases (1 + n_labels,)."""
    logs = np.log(np.maximum(probs, _FIT_FLOOR))
    start = np.concatenate([[1.0], np.zeros(probs.shape[1])])
    spread = np.concatenate([[SLOPE_SPREAD], np.full(probs.shape[1], BIAS_SPREAD)])

    def cost(flat: Floats) -> tuple[float, Floats]:
        said = log_softmax(flat[0] * logs + flat[1:], axis=1)
        wrong = weights[:, None] * (np.exp(said) - belief)
        moved = (flat - start) / spread
        slope = np.concatenate([[(wrong * logs).sum()], wrong.sum(axis=0)]) + moved / spread
        return 0.5 * float(moved @ moved) - float(weights @ (belief * said).sum(axis=1)), slope

    bounds = [(_LEAST_SLOPE, None), *[(None, None)] * probs.shape[1]]
    return np.asarray(minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x, dtype=np.float64)
