"""Dawid and Skene's model (1979) of specialists that err each in their own way, fitted by EM on patterns of votes.

Rows on which every specialist gives the same labels are alike to the model. Five specialists and three labels have 243
such patterns, so EM over patterns with their counts is exact, and its cost does not grow with the rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from specialists.arrays import Floats, Integers

_SMOOTHING = 0.01
"""Rows added to each cell of a confusion matrix, so that none is zero."""


@dataclass(frozen=True)
class DawidSkene:
    """The fitted model: `prior` (n_labels,); `confusion` (n_specialists, n_labels, n_labels): P(vote | label)."""

    prior: Floats
    confusion: Floats

    def weigh(self, votes: npt.NDArray[np.integer]) -> Floats:
        """Return the labels' probabilities (n_rows, n_labels) for `votes` (n_specialists, n_rows), label indices."""
        patterns, place = find_patterns(votes, len(self.prior))
        return _weigh(self, patterns)[place]

    def label(self, votes: npt.NDArray[np.integer]) -> Integers:
        """Return the likeliest label (n_rows,) for `votes` (n_specialists, n_rows), label indices."""
        patterns, place = find_patterns(votes, len(self.prior))
        return _weigh(self, patterns).argmax(axis=1)[place]


def find_patterns(votes: npt.NDArray[np.integer], n_labels: int) -> tuple[Integers, Integers]:
    """Return the different patterns (n_specialists, n_patterns), and which one each row has (n_rows,).

    `votes` (n_specialists, n_rows) are label indices. Where all possible patterns are few, they are counted in a table;
    else the rows are sorted.
    """
    possible = n_labels ** len(votes)
    if possible > np.iinfo(np.int64).max // 2:
        patterns, place = np.unique(votes, axis=1, return_inverse=True)
        return patterns.astype(np.int64), place.astype(np.int64)
    code = np.zeros(votes.shape[1], dtype=np.int64 if possible > np.iinfo(np.int32).max else np.int32)
    for row in votes:
        code *= n_labels
        code += row.astype(code.dtype)
    if possible <= 1 << 20:
        seen = np.flatnonzero(np.bincount(code, minlength=possible))
        renumbered = np.zeros(possible, dtype=np.int64)
        renumbered[seen] = np.arange(len(seen))
        place = renumbered[code]
    else:
        seen, place = np.unique(code, return_inverse=True)
    powers = n_labels ** np.arange(len(votes) - 1, -1, -1, dtype=np.int64)
    return (seen.astype(np.int64)[None, :] // powers[:, None]) % n_labels, place.astype(np.int64)


def fit_dawid_skene(
    votes: npt.NDArray[np.integer], n_labels: int, *, steps: int = 100, tolerance: float = 1e-6
) -> DawidSkene:
    """Return the model of `votes` (n_specialists, n_rows), label indices, started from the majority.

    EM ends after `steps`, or where no probability of a pattern moves by more than `tolerance`.
    """
    patterns, place = find_patterns(votes, n_labels)
    counts = np.bincount(place, minlength=patterns.shape[1]).astype(np.float64)
    posterior = np.stack([(patterns == label).mean(axis=0) for label in range(n_labels)], axis=1)
    model = _estimate(patterns, counts, posterior)
    for _ in range(steps):
        before, posterior = posterior, _weigh(model, patterns)
        model = _estimate(patterns, counts, posterior)
        if np.abs(posterior - before).max(initial=0.0) < tolerance:
            break
    return model


def _estimate(patterns: Integers, counts: Floats, posterior: Floats) -> DawidSkene:
    n_labels = posterior.shape[1]
    expected = posterior * counts[:, None]
    given = np.eye(n_labels)[patterns]
    cells = np.einsum("pl,kpv->klv", expected, given) + _SMOOTHING
    prior = expected.sum(axis=0) + _SMOOTHING
    return DawidSkene(prior / prior.sum(), cells / cells.sum(axis=2, keepdims=True))


def _weigh(model: DawidSkene, patterns: Integers) -> Floats:
    log_joint = np.tile(np.log(model.prior), (patterns.shape[1], 1))
    for confusion, votes in zip(model.confusion, patterns, strict=True):
        log_joint += np.log(confusion[:, votes]).T
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return joint / joint.sum(axis=1, keepdims=True)
