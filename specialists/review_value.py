"""Which rows are worth a review: the errors that an answer is expected to remove, the reviewer's own errors counted
in."""

import numpy as np

from specialists.arrays import Booleans, Floats, Integers


def expect_removed_errors(joint: Floats) -> Floats:
    """Return for each row by how much an answer is expected to raise the probability that its label is right.

    `joint` (n_rows, n_labels, n_answers): P(label, answer) before the review. The expected value of sample information
    under 0-1 loss (Raiffa and Schlaifer 1961): the sum over answers of the likeliest label's joint probability, less
    the likeliest label's probability now. It is 0 where no answer would change the label, so a reviewer that is worse
    than the vote is not asked.
    """
    return np.maximum(joint.max(axis=1).sum(axis=1) - joint.sum(axis=2).max(axis=1), 0.0)


def choose_reviews(value: Floats, cost: Floats, eligible: Booleans, most: int, worth: float = 0.0) -> Integers:
    """Return at most `most` rows, those first whose reviews remove most errors for their money.

    All arrays are (n_rows,): `value` as `expect_removed_errors` gives it, `cost` in any unit above 0 (USD, tokens),
    `eligible` the rows that may be chosen. A row whose value is below `worth` errors is not chosen. Rows of equal need
    keep the input's order.
    """
    order = np.argsort(-(value / cost), kind="stable")
    wanted = eligible[order] & (value[order] >= worth)
    return order[wanted][:most].astype(np.int64)


def count_until(removed: Floats, at_stake: float, room: float) -> int:
    """Return how many reviews, in their order, it takes until no more than `room` errors are left of those `at_stake`;
    all of them where they are not enough. `removed` (n_rows,): the errors that each is expected to remove."""
    left = at_stake - np.concatenate([[0.0], np.cumsum(removed)])
    meets = left <= room + 1e-9
    return int(meets.argmax()) if meets.any() else len(removed)
