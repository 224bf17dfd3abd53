"""Which rows of a stage are reviewed next, and when it is enough."""

import math
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from agents.review_cost import estimate_tokens
from agents.reviewer import make_manner
from graphs.expert import takes_answers
from graphs.reviewing import ReviewStep
from graphs.taught import first_step
from graphs.voting import StageView, StageVote
from records.rows import Review
from specialists.arrays import Integers
from specialists.audit_planning import choose_start
from specialists.review_value import choose_reviews, count_until
from specialists.risk import choose_riskiest

ROUND_SHARE = 0.1
"""Of a stage so much is reviewed before the vote learns from it again, in whole requests; at first no more than what
taught it."""

LEAST_WORTH = 1e-9
"""Errors. A review that changes no label removes none, whatever `--worth` says; less than this is rounding."""

SILENT_ROUNDS, SILENT_ROWS = 2, 10
"""Where so many rounds in a row, of so many rows in all, brought no answer, a stage asks no more."""


@dataclass(frozen=True)
class Chosen:
    """Rows to review (n_chosen,), as places in the stage, and whether no further round follows."""

    rows: Integers
    is_last: bool
    is_short: bool = False
    """Whether more would be worth it and are not paid for."""
    silence: str = ""
    """Why the reviewer is asked no more, where it has stopped answering."""


def choose_for_review(view: StageView, held: StageVote, number: int, share: float, allowed: int | None) -> Chosen:
    """Return the rows of a stage to review at a step, those first that need it most.

    In all no more than `share` of the stage is reviewed for risk, nor more rows than the budget allows (None: any).
    A round fills its requests; what fills none is the stage's last. A reviewer that gives no answer is asked no more.
    """
    step, n_rows = view.step(number), len(view.rows.text)
    first = first_step(view.stage)
    done = sum(one is not None and first <= one.step for one in step.own())
    most = max(0, math.floor(share * n_rows) - done)
    if silence := _find_silence(step, first):
        return Chosen(np.array([], dtype=np.int64), is_last=True, silence=silence)
    wanted = _rank_wanted(view, held, step, done)
    # Without anything learned from the answers a second round would choose as the first.
    in_one = held.after is None or view.context.settings.rule == "disagreement"
    request = view.context.settings.review_batch
    batch = request * max(math.ceil(min(ROUND_SHARE * n_rows, held.taught) / request), 1)
    asked = min(most if in_one else min(most, batch), len(wanted))
    is_last = in_one or asked == most or asked < request
    if not is_last:
        asked -= asked % request
    paid = asked if allowed is None else min(asked, max(0, allowed - done))
    return Chosen(
        rows=view.filled[wanted[:paid]],
        is_last=is_last,
        is_short=paid < asked,
    )


def _find_silence(step: ReviewStep, first: int) -> str:
    """Return why a stage's reviewer is asked no more, by its latest rounds since the step `first`; else nothing."""
    rounds: dict[int, list[Review]] = {}
    for one in step.own():
        if one is not None and one.step >= first:
            rounds.setdefault(one.step, []).append(one.review)
    latest = [reviews for _, reviews in sorted(rounds.items(), reverse=True)]
    silent = list(takewhile(lambda reviews: all(one.answer is None for one in reviews), latest))
    rows = sum(map(len, silent))
    if len(silent) < SILENT_ROUNDS or rows < SILENT_ROWS:
        return ""
    failed = sum(one.failed for reviews in silent for one in reviews)
    why = next((one.reason for one in silent[0] if one.failed), "")
    told = f"{failed:,} requests failed" + (f" ({why[:200]})" if why else "") if failed else "it cannot tell"
    return f"the last {rows:,} rows got no answer from the reviewer: {told}"


def _rank_wanted(view: StageView, held: StageVote, step: ReviewStep, done: int) -> Integers:
    """Return the places of all annotated rows that are to be reviewed by what is known now, in the order of their need;
    `done` were reviewed in this stage.

    By the paper's rule all that the specialists dispute. Under a target the riskiest, until the others meet it by the
    estimates; where gold rows certify, those whose review is expected to remove most errors, until so few are left.
    Else those whose review is expected to remove `--worth` errors, most errors for its tokens first. The
    reviewer without a language model has no reliability of its own to reckon with: it gets what is disputed, then what
    is least sure, and nothing where gold rows taught the vote, which then knows more than it does.
    """
    settings, open_ = view.context.settings, step.eligible[view.filled]
    if settings.rule == "disagreement":
        return np.flatnonzero(held.disputed & open_)
    if view.context.team.reviewer.source == "offline":
        known = held.after is not None
        return choose_riskiest(held.result.agreement, held.value, open_, 0 if known else len(open_))
    if settings.target_error is not None and takes_answers(view.context):
        order = np.argsort(-held.differs, kind="stable")
        order = order[open_[order]]
        unanswered = sum(one is not None and one.review.answer is None for one in step.own())
        room = math.floor(settings.target_error * len(open_)) - unanswered
        return order[: choose_start(held.differs[order], max(room, 0), done)]
    cost = estimate_tokens(view.context.read_task(), make_manner(settings), view.texts)
    worth = LEAST_WORTH if settings.target_error is not None else max(settings.worth, LEAST_WORTH)
    order = choose_reviews(held.value, cost, open_, len(open_), worth=worth)
    if settings.target_error is None:
        return order
    errors = 1.0 - (held.result.confidence if held.after is None else held.after.max(axis=1))
    at_stake = float(errors[open_].sum() if held.after is None else errors.sum())
    return order[: count_until(held.value[order], at_stake, math.floor(settings.target_error * len(open_)))]
