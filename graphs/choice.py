"""Which rows of a stage are reviewed next, and when it is enough."""

import math
from dataclasses import dataclass

import numpy as np

from agents.review_cost import estimate_tokens
from agents.reviewer import make_manner
from graphs.taught import first_step
from graphs.voting import StageView, StageVote
from specialists.arrays import Booleans, Integers
from specialists.review_value import choose_reviews
from specialists.risk import choose_riskiest

ROUND_SHARE = 0.1
"""Of a stage so much is reviewed before the vote learns from it again; at first no more than what taught it."""


@dataclass(frozen=True)
class Chosen:
    """Rows to review (n_chosen,), as places in the stage, and whether no further round follows."""

    rows: Integers
    is_last: bool


def choose_for_review(view: StageView, held: StageVote, number: int, share: float) -> Chosen:
    """Return the rows of a stage to review at a step: by the paper's rule, all that the specialists dispute; else those
    whose review removes most errors for its money, as long as one is expected to remove `--worth`.

    In all no more than `share` of the stage is reviewed for risk. The reviewer without a language model has no
    reliability of its own to reckon with: it gets what is disputed, and then what is least sure.
    """
    step, n_rows, settings = view.step(number), len(view.rows.text), view.context.settings
    open_ = step.eligible[view.filled]
    first = first_step(view.stage)
    done = sum(one is not None and first <= one.step < number for one in step.own())
    most = max(0, math.floor(share * n_rows) - done)
    if settings.rule == "disagreement":
        return Chosen(view.filled[np.flatnonzero(held.disputed & open_)][:most], is_last=True)
    if view.context.team.reviewer.source == "offline":
        return Chosen(view.filled[_choose_least_sure(held, open_, most)], is_last=True)
    batch = max(min(int(ROUND_SHARE * n_rows), held.taught), settings.review_batch)
    size = most if held.after is None else min(most, batch)
    cost = estimate_tokens(view.context.read_task(), make_manner(settings), view.texts)
    chosen = choose_reviews(held.value, cost, open_, size, worth=settings.worth)
    return Chosen(view.filled[chosen], is_last=held.after is None or len(chosen) < size or size == most)


def _choose_least_sure(held: StageVote, open_: Booleans, most: int) -> Integers:
    """Return what to give the reviewer without a language model: nothing where gold rows taught the vote, which then
    knows more than it does."""
    if held.after is not None:
        return np.zeros(0, dtype=np.int64)
    return choose_riskiest(held.result.agreement, held.value, open_, most)
