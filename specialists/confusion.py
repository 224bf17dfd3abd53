"""Who says what, and how it fares with the reviewer."""

import numpy as np

from specialists.arrays import Booleans, Floats, Integers

RELABEL_SHARE = 0.1
"""The largest share of a stage that a relabel reviews: half of what risk may take by default, so that one decision
moves no budget far."""


def count_confusion(given: Integers, reviewed: Integers, n_labels: int) -> Integers:
    """Return the confusion matrix (n_labels, n_labels): [i, j] rows were given i and have j from the reviewer.

    `given` and `reviewed` (n_rows,) are label indices of the same rows.
    """
    return np.bincount(given * n_labels + reviewed, minlength=n_labels**2).reshape(n_labels, n_labels).astype(np.int64)


def choose_confused(mean: Floats, pair: tuple[int, int], eligible: Booleans, most: int) -> Integers:
    """Return the rows that are torn between the two labels of `pair`, the most disputed first, at most `most`.

    `mean` (n_rows, n_labels) holds the specialists' mean probabilities. A row is torn between its two likeliest
    labels, and the more disputed the nearer their probabilities are. `eligible` (n_rows,) marks the rows that may be
    chosen; rows with equal need keep the input's order.
    """
    likeliest = np.sort(np.argsort(-mean, axis=1, kind="stable")[:, :2], axis=1)
    torn = (likeliest == sorted(pair)).all(axis=1) & eligible
    distance = np.abs(mean[:, pair[0]] - mean[:, pair[1]])
    order = np.argsort(distance, kind="stable")
    return order[torn[order]][:most].astype(np.int64)
