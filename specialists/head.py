"""The head: a ridge regression onto labels, with the prediction that each row would get had it not taught.

Least squares onto label indicators is linear discriminant analysis up to scaling (Hastie, Tibshirani and Buja 1994),
and it has what a staged run needs: one decomposition gives every penalty, and the leave-one-out prediction of every
row that taught it in closed form (Allen 1974; Golub, Heath and Wahba 1979). So taught rows are out of fold exactly,
not by five refits. Its scores are no probabilities; `combination.py` makes them ones.
"""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Floats

PENALTIES = 10.0 ** np.arange(-1.0, 3.1, 0.5)
"""Tried each time; the design's rows have lengths near 1, so 10 is the weight of ten rows."""

_INTERCEPT = 3.0
"""The constant column: large, so that the penalty hardly draws the labels' base rates to 0."""


@dataclass(frozen=True)
class Head:
    """A fitted head: `coefficients` (n_columns + 1, n_labels), the last row that of the constant; `penalty`."""

    coefficients: Floats
    penalty: float

    def score(self, design: Floats) -> Floats:
        """Return the scores (n_rows, n_labels) of a design (n_rows, n_columns): near 1 for the label, near 0 else."""
        return design @ self.coefficients[:-1] + _INTERCEPT * self.coefficients[-1]


def fit_head(design: Floats, targets: Floats, weights: Floats) -> tuple[Head, Floats]:
    """Return the head, and the scores (n_rows, n_labels) that each row gets from a head that it did not teach.

    `design` (n_rows, n_columns); `targets` (n_rows, n_labels): probabilities of the labels, one-hot where known;
    `weights` (n_rows,) above 0. The penalty is the one with the least weighted squared error of these scores.
    """
    root = np.sqrt(weights)[:, None]
    columns = np.column_stack([design, np.full(len(design), _INTERCEPT)]) * root
    wanted = targets * root
    values, vectors = np.linalg.eigh(columns.T @ columns)
    turned = columns @ vectors
    projected = turned.T @ wanted
    squares = turned**2
    best: tuple[float, float, Floats] | None = None
    for penalty in PENALTIES.tolist():
        inverse = 1.0 / (np.maximum(values, 0.0) + penalty)
        left = (wanted - turned @ (inverse[:, None] * projected)) / (1.0 - squares @ inverse)[:, None]
        error = float((left**2).sum())
        if best is None or error < best[0]:
            best = error, penalty, left
    if best is None:
        raise ValueError("no penalty was tried")
    _, penalty, left = best
    inverse = 1.0 / (np.maximum(values, 0.0) + penalty)
    return Head(vectors @ (inverse[:, None] * projected), penalty), (wanted - left) / root
