"""The probe: rows drawn with known probabilities, and estimates that undo how they were drawn."""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Booleans, Floats, Integers

LEAST_PROBE_ROWS = 20
"""Fewer rows prove nothing for or against a candidate: at 20 one standard error of a share is 11 points."""

LEAST_PER_STRATUM = 5
"""Every stratum that has rows keeps at least this many, as far as it has them and the probe has room."""

DISPUTED_TIMES = 3.0
"""How many times likelier a disputed row is to be drawn than a row on which the candidates agree. Only disputed rows
tell candidates apart; three times keeps the weights of the other rows, and so the noise of the estimates, small."""

LENGTH_STRATA = 3


@dataclass(frozen=True)
class Probe:
    """`positions` (n_probe,): which rows of the pool, ascending. `inclusion` (n_probe,): the probability, in (0, 1],
    with which each row of the whole input came into the probe."""

    positions: Integers
    inclusion: Floats

    @property
    def weights(self) -> Floats:
        """(n_probe,): how many rows of the input each row stands for (Horvitz and Thompson 1952)."""
        return 1.0 / self.inclusion


@dataclass(frozen=True)
class Estimate:
    """A figure of the whole input, estimated on the probe, and its standard error."""

    value: float
    error: float


def draw_pool(rows: int, size: int, seed: int) -> Integers:
    """Return at most `size` row numbers, drawn uniformly without replacement, in ascending order."""
    if rows <= size:
        return np.arange(rows, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(rows, size=size, replace=False)).astype(np.int64)


def draw_probe(lengths: Integers, own: Integers, rows: int, size: int, seed: int) -> Probe:
    """Draw `size` rows of a pool, stratified by length and by whether the candidates disagree.

    `lengths` (n_pool,): the texts' lengths in any unit; `own` (n_candidates, n_pool): each candidate's label of each
    row; `rows`: how many rows the pool was drawn from, uniformly. Within a stratum every row is as likely as another.
    A pool of at most `size` rows is taken whole. Two-phase sampling for stratification (Neyman 1938): a row's
    inclusion probability is that of the pool times that of its stratum's rows within the pool.
    """
    pool = len(lengths)
    first = pool / max(rows, 1)
    if pool <= size:
        return Probe(np.arange(pool, dtype=np.int64), np.full(pool, first))
    disputed = (own != own[:1]).any(axis=0)
    stratum, counts, priority = _stratify(lengths, disputed, size)
    drawn = _allocate(counts, priority, size)
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(stratum == k), size=drawn[k], replace=False) for k in range(len(counts))]
    positions = np.sort(np.concatenate(chosen)).astype(np.int64)
    return Probe(positions, first * (drawn / counts)[stratum[positions]])


def _stratify(lengths: Integers, disputed: Booleans, size: int) -> tuple[Integers, Integers, Floats]:
    """Return each row's stratum (n_pool,), and each stratum's rows and priority (n_strata,).

    Where the probe has fewer rows than there are strata, all rows are one stratum: a stratum without a row of the
    probe would be missing from every estimate.
    """
    bounds = np.quantile(lengths, np.arange(1, LENGTH_STRATA) / LENGTH_STRATA)
    cell = np.searchsorted(bounds, lengths) + LENGTH_STRATA * disputed
    cells, stratum, counts = np.unique(cell, return_inverse=True, return_counts=True)
    if len(cells) > size:
        return np.zeros(len(lengths), dtype=np.int64), np.array([len(lengths)], dtype=np.int64), np.ones(1)
    priority = counts * (1.0 + (DISPUTED_TIMES - 1.0) * (cells >= LENGTH_STRATA))
    return stratum.astype(np.int64), counts.astype(np.int64), priority.astype(np.float64)


def _allocate(counts: Integers, priority: Floats, size: int) -> Integers:
    """Return how many rows to draw of each stratum (n_strata,), `size` in all, in proportion to `priority`.

    One row at a time goes to the stratum that is furthest below its share, after each has got its least.
    """
    drawn = np.minimum(counts, min(LEAST_PER_STRATUM, size // len(counts)))
    while drawn.sum() < size:
        need = priority / (drawn + 1.0) * (drawn < counts)
        drawn[need.argmax()] += 1
    return drawn


def estimate_mean(values: Floats | Booleans, weights: Floats, low: float = 0.0, high: float = 1.0) -> Estimate:
    """Return the weighted mean (Hájek 1971) of `values` (n_rows,), which lie between `low` and `high`.

    `weights` (n_rows,) are 1 / inclusion probability. The error is the linearised one of a ratio (Särndal, Swensson
    and Wretman 1992, section 5.7), with one more row of mean weight, half of it at `low` and half at `high`, so that
    a mean of few rows that are all alike is not taken for certain. It is slightly too large: what the strata save is
    not counted. Without rows the value is the middle and the error half the range.
    """
    if len(values) == 0:
        return Estimate((low + high) / 2, (high - low) / 2)
    half = weights.mean() / 2
    total = float(weights.sum())
    padded = np.concatenate([values.astype(np.float64), [low, high]])
    counted = np.concatenate([weights, [half, half]])
    middle = counted @ padded / counted.sum()
    error = np.sqrt(np.sum((counted * (padded - middle)) ** 2)) / counted.sum()
    return Estimate(float(weights @ values) / total, float(error))


def estimate_accuracy(own: Integers, truth: Integers, weights: Floats) -> Estimate:
    """Return the share of rows whose label `own` (n_rows,) is that of `truth` (n_rows,), weighted by `weights`."""
    return estimate_mean(own == truth, weights)


def estimate_balanced_accuracy(own: Integers, truth: Integers, weights: Floats) -> Estimate:
    """Return the mean, over the labels that `truth` has, of the share of their rows that `own` gets right.

    Arrays are (n_rows,). The labels' shares are estimated apart, so their errors add up as independent ones. Without
    rows the value is one half.
    """
    shares = [
        estimate_mean(own[truth == label] == label, weights[truth == label]) for label in np.unique(truth).tolist()
    ]
    if not shares:
        return Estimate(0.5, 0.5)
    error = float(np.sqrt(sum(share.error**2 for share in shares))) / len(shares)
    return Estimate(float(np.mean([share.value for share in shares])), error)
