"""Which rows of a stage are reviewed next, and when it is enough."""

import math
from dataclasses import dataclass

import numpy as np

from agents.review_cost import estimate_tokens
from agents.reviewer import make_manner
from graphs.reviewing import ReviewStep
from graphs.taught import first_step
from graphs.voting import StageView, StageVote
from specialists.arrays import Integers
from specialists.audit_planning import choose_start
from specialists.review_value import choose_reviews
from specialists.risk import choose_riskiest

ROUND_SHARE = 0.1
"""Of a stage so much is reviewed before the vote learns from it again; at first no more than what taught it."""

LEAST_WORTH = 1e-9
"""Errors. A review that changes no label removes none, whatever `--worth` says; less than this is rounding."""


@dataclass(frozen=True)
class Chosen:
    """Rows to review (n_chosen,), as places in the stage, and whether no further round follows."""

    rows: Integers
    is_last: bool
    is_short: bool = False
    """Whether more would be worth it and are not paid for."""


def choose_for_review(view: StageView, held: StageVote, number: int, share: float, allowed: int | None) -> Chosen:
    """Return the rows of a stage to review at a step, those first that need it most.

    In all no more than `share` of the stage is reviewed for risk, nor more rows than the budget allows (None: any).
    """
    step, n_rows = view.step(number), len(view.rows.text)
    first = first_step(view.stage)
    done = sum(one is not None and first <= one.step for one in step.own())
    most = max(0, math.floor(share * n_rows) - done)
    wanted = _rank_wanted(view, held, step)
    # Without anything learned from the answers a second round would choose as the first.
    in_one = held.after is None or view.context.settings.rule == "disagreement"
    batch = max(min(int(ROUND_SHARE * n_rows), held.taught), view.context.settings.review_batch)
    size = most if in_one else min(most, batch)
    asked = min(size, len(wanted))
    paid = asked if allowed is None else min(asked, max(0, allowed - done))
    return Chosen(
        rows=view.filled[wanted[:paid]],
        is_last=in_one or asked in (0, most),
        is_short=paid < asked,
    )


def _rank_wanted(view: StageView, held: StageVote, step: ReviewStep) -> Integers:
    """Return the places of all annotated rows that are to be reviewed by what is known now, in the order of their need.

    By the paper's rule all that the specialists dispute. Under a target the riskiest, until the others meet it by the
    estimates. Else those whose review is expected to remove `--worth` errors, most errors for its tokens first. The
    reviewer without a language model has no reliability of its own to reckon with: it gets what is disputed, then what
    is least sure, and nothing where gold rows taught the vote, which then knows more than it does.
    """
    settings, open_ = view.context.settings, step.eligible[view.filled]
    if settings.rule == "disagreement":
        return np.flatnonzero(held.disputed & open_)
    if view.context.team.reviewer.source == "offline":
        known = held.after is not None
        return choose_riskiest(held.result.agreement, held.value, open_, 0 if known else len(open_))
    if settings.target_error is not None:
        order = np.argsort(-held.differs, kind="stable")
        order = order[open_[order]]
        unanswered = sum(one is not None and one.review.label is None for one in step.own())
        room = math.floor(settings.target_error * len(open_)) - unanswered
        return order[: choose_start(held.differs[order], max(room, 0))]
    cost = estimate_tokens(view.context.read_task(), make_manner(settings), view.texts)
    return choose_reviews(held.value, cost, open_, len(open_), worth=max(settings.worth, LEAST_WORTH))
