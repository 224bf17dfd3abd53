"""Which rows are worth a review: the errors that an answer is expected to remove, the reviewer's own errors counted in."""

import numpy as np

from specialists.arrays import Booleans, Floats, Integers


def expect_removed_errors(probs: Floats, reliability: Floats) -> Floats:
    """Return for each row by how much an answer is expected to raise the probability that its label is right.

    `probs` (n_rows, n_labels): the labels' probabilities before the review; `reliability` (n_labels, n_labels):
    P(answer | label). The expected value of sample information under 0-1 loss (Raiffa and Schlaifer 1961): the sum over
    answers of the likeliest label's joint probability, less the likeliest label's probability now. It is 0 where no answer
    would change the label, so a reviewer that is worse than the vote is not asked.
    """
    after = np.zeros(len(probs))
    for answer in range(probs.shape[1]):
        after += (probs * reliability[:, answer]).max(axis=1)
    return np.maximum(after - probs.max(axis=1), 0.0)


def choose_reviews(value: Floats, cost: Floats, eligible: Booleans, most: int, worth: float = 0.0) -> Integers:
    """Return at most `most` rows, those first whose reviews remove most errors for their money.

    All arrays are (n_rows,): `value` as `expect_removed_errors` gives it, `cost` in any unit above 0 (USD, tokens),
    `eligible` the rows that may be chosen. A row whose value is below `worth` errors is not chosen. Rows of equal need
    keep the input's order.
    """
    order = np.argsort(-(value / cost), kind="stable")
    wanted = eligible[order] & (value[order] >= worth)
    return order[wanted][:most].astype(np.int64)
