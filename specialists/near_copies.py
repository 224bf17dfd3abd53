"""Near-copies: models that are one another in all but name count once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specialists.arrays import Floats
from specialists.label_space import ONE_LABEL, LabelSpace
from specialists.probe import LEAST_PROBE_ROWS

COPY_AGREEMENT = 0.98
"""Two models that give more than this share of the rows the same label are one model for a vote."""


@dataclass(frozen=True)
class Origin:
    """What a model is made of: its weight files' sha256, its base model ("" where unknown) and its training data
    (empty where unknown)."""

    weights: frozenset[str]
    base: str
    data: frozenset[str]


@dataclass(frozen=True)
class NearCopy:
    """`position` of a model that is left out because the better one at `of` is nearly the same."""

    position: int
    of: int
    reason: str


def find_near_copies(
    probs: Floats,
    weights: Floats,
    origins: Sequence[Origin],
    quality: Floats,
    prior: Floats,
    *,
    space: LabelSpace = ONE_LABEL,
) -> tuple[NearCopy, ...]:
    """Return the models that are near-copies of a better one.

    `probs` (n_models, n_rows, n_labels) on the probe, `weights` (n_rows,) 1 / inclusion probability, `origins` of the
    n_models; `quality` (n_models,), say the balanced accuracy, decides which stays, then `prior` (n_models,), then
    the order. Models are looked at best first, and each is compared with those that stay: a chain of models each
    like the next is not one group unless all are like its best. Fewer than LEAST_PROBE_ROWS rows say nothing of
    agreement.
    """
    own = space.pick(probs)
    kept: list[int] = []
    copies: list[NearCopy] = []
    order = np.lexsort((-prior, -quality)).astype(np.int64)
    for position in (int(one) for one in order):
        for other in kept:
            agreement = space.resemble(own[position], own[other], weights) if own.shape[1] else 0.0
            reason = _compare_origins(origins[position], origins[other])
            if not reason and own.shape[1] >= LEAST_PROBE_ROWS and agreement > COPY_AGREEMENT:
                reason = f"gives the same label on {agreement:.1%} of the rows"
            if reason:
                copies.append(NearCopy(position, other, reason))
                break
        else:
            kept.append(position)
    return tuple(sorted(copies, key=lambda copy: copy.position))


def _compare_origins(one: Origin, other: Origin) -> str:
    """Return why two models are of one making, or "" where nothing says so."""
    if one.weights and one.weights == other.weights:
        return "has the same weights"
    if one.base and one.data and (one.base, one.data) == (other.base, other.data):
        return f"was made from the same base ({one.base}) with the same data ({', '.join(sorted(one.data))})"
    return ""
