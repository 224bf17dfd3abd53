"""The audition: which candidates may vote, judged on a probe of the task's own rows."""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Floats, Integers

LEAST_PROBE_ROWS = 20
"""On fewer rows agreement says too little to fail a candidate."""


@dataclass(frozen=True)
class AuditionScore:
    """One candidate on the probe. `agreement`: balanced agreement with the others' vote, from 0 to 1;
    `label_shares` (n_labels,): how often it gives each label."""

    agreement: float
    label_shares: Floats
    passed: bool
    reason: str


def draw_probe(rows: int, size: int, seed: int) -> Integers:
    """Return at most `size` row numbers, drawn uniformly without replacement, in ascending order."""
    if rows <= size:
        return np.arange(rows, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(rows, size=size, replace=False)).astype(np.int64)


def score_candidates(probs: Floats) -> tuple[AuditionScore, ...]:
    """Score every candidate against the soft vote of all the others.

    `probs` (n_candidates, n_rows, n_labels). Agreement is balanced over the labels of the others' vote, so that
    a candidate that always says the commonest label gains nothing by it. A candidate fails that agrees no more than
    chance (1 / number of labels in the others' vote, at most 1/2), as one does that gives one label only where the
    others see several. Alone, a candidate has nobody to disagree with, and passes; and fewer than LEAST_PROBE_ROWS
    rows prove nothing against anybody.
    """
    own = probs.argmax(axis=2)
    total = probs.sum(axis=0)
    return tuple(_score(own[k], (total - probs[k]).argmax(axis=1), probs.shape, k) for k in range(len(probs)))


def _score(own: Integers, others: Integers, shape: tuple[int, ...], k: int) -> AuditionScore:
    candidates, rows, n_labels = shape
    shares = np.bincount(own, minlength=n_labels) / max(rows, 1)
    if candidates == 1:
        agreement, chance = 1.0, 0.0
    else:
        present = np.unique(others)
        agreement = float(np.mean([(own[others == label] == label).mean() for label in present]))
        chance = 1.0 / max(len(present), 2)
    if rows < LEAST_PROBE_ROWS:
        return AuditionScore(agreement, shares, True, f"cannot be judged by {rows} rows")
    if agreement <= chance:
        return AuditionScore(
            agreement, shares, False, f"agrees with the others on {agreement:.0%} (balanced), no more than chance"
        )
    return AuditionScore(agreement, shares, True, f"agrees with the others on {agreement:.0%} (balanced)")
