"""The ensemble: the candidates whose vote together is the best, and worth what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from specialists.arrays import Booleans, Floats, Integers
from specialists.audition import take_votes_of_others, weigh_accuracy
from specialists.probe import estimate_balanced_accuracy
from specialists.vote import take_soft_vote

COST_OF_TEN = 0.01
"""The accuracy that a tenfold dearer ensemble must gain: one point."""


@dataclass(frozen=True)
class Ensemble:
    """The chosen candidates. `members`: their positions, the weightiest first; `weights` (n_members,): what their votes
    count, adding up to 1; `accuracy`: that of their vote, cross-validated on the probe (with the consensus where there
    was no truth); `value`: what they were chosen by; `reason`: in words."""

    members: tuple[int, ...]
    weights: Floats
    accuracy: float
    value: float
    reason: str


def choose_ensemble(
    probs: Floats,
    truth: Integers | None,
    weights: Floats,
    work: Floats,
    prior: Floats,
    eligible: Booleans,
    size: int,
    seed: int,
) -> Ensemble:
    """Return the best ensemble of `size` candidates, or of all that are eligible where they are fewer.

    `probs` (n_candidates, n_rows, n_labels) by the verified maps; `truth` (n_rows,) label indices, None: the consensus;
    `weights` (n_rows,) 1 / inclusion probability; `work` (n_candidates,) multiplications a row; `prior`
    (n_candidates,) the selector's scores; `eligible` (n_candidates,): who passed and is no near-copy.

    Raises ValueError where nobody is eligible.
    """
    raise ValueError
