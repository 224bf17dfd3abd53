"""What may be said of all labels, and with which part of the error probability each thing is said."""

import math
from typing import Literal

import numpy as np

from records.base import Record
from specialists.audit import AuditPlan, Looks, Step, find_unanswered_floor
from specialists.betting import bound_total_always, expect_share
from specialists.bounds import bound_share, bound_total

SAMPLE_SHARE, SAMPLE_MOST = 0.05, 300
"""Without a target the audit is this share of the rows, at most so many."""

FIRST_PART = 0.85
"""The part of the error probability that a run's first claim takes. Most runs make one. Each further one takes half of
what is left, so that all that a run ever claims is wrong with a probability of at most 1 - confidence."""

Verdict = Literal["bound", "certified", "not certified", "not certifiable"]


class Statement(Record):
    """At most `differing` of `rows` labels differ from what the expert would have given; None where nothing is claimed.

    `error`: the probability with which this claim is wrong at most. `beside`: the same by Clopper and Pearson's bound,
    for comparison; not claimed. `reason`: why there is no certificate.
    """

    verdict: Verdict
    rows: int
    differing: int | None
    error: float
    beside: int | None = None
    reason: str = ""

    @property
    def share(self) -> float | None:
        """The greatest share of labels that may differ, in [0, 1]."""
        return None if self.differing is None else self.differing / self.rows


def share_error(confidence: float, claims: int) -> float:
    """Return the error probability of a run's next claim, after so many.

    A claim is a bound, or an audit under a target, whatever it ended with: also an audit that certified an amount
    rightly has had its chance to certify a narrower one wrongly. All parts together never exceed 1 - `confidence`.
    """
    part = FIRST_PART if claims == 0 else (1.0 - FIRST_PART) * 0.5**claims
    return (1.0 - confidence) * part


def count_allowed(rows: int, target: float) -> int:
    """Return how many of `rows` labels may differ under a target share."""
    return math.floor(target * rows + 1e-9)


def size_sample(rows: int, unreviewed: int) -> int:
    """Return how many of the unreviewed rows an audit without a target draws."""
    return min(math.ceil(SAMPLE_SHARE * rows), SAMPLE_MOST, unreviewed)


def state_bound(
    *, rows: int, known: int, unreviewed: int, drawn: int, wrong: int, mended: int, error: float
) -> Statement:
    """Return the statement of an audit whose size was fixed beforehand (`size_sample`).

    `known`: reviewed rows, the audit's not among them, whose label differs or that have no answer; `wrong` of the
    `drawn` rows differed or had no answer; `mended` rows, drawn ones and their copies, differed and do no more. The
    bound is the hypergeometric one, which knows how many rows there are, stated because it was chosen beforehand; that
    of Clopper and Pearson is given beside it.
    """
    upper = int(bound_total(np.array(wrong), np.array(drawn), np.array(unreviewed), error))
    share = float(bound_share(np.array(wrong), np.array(drawn), error)) if drawn else 1.0
    classic = max(math.floor(share * unreviewed + 1e-9), wrong)
    sure = known - mended
    return Statement(verdict="bound", rows=rows, differing=sure + upper, error=error, beside=sure + classic)


def state_certified(plan: AuditPlan, looks: Looks, step: Step, unanswered: int, *, look: int = -1) -> Statement | None:
    """Return the certificate of the target after the step's amount was reviewed; None where more is to be.

    `unanswered`: all rows of that part without an answer, drawn ones among them. The certificate states the target,
    not the smallest bound seen. Raises ValueError where the amount was not certifiable at the look.
    """
    if step.kind != "widen" or step.amount is None or not looks.certifiable[look, step.amount]:
        raise ValueError(f"{step} was not certifiable at look {look}")
    if unanswered > plan.unanswered[step.amount]:
        return None
    return Statement(verdict="certified", rows=plan.rows, differing=plan.allowed, error=plan.error)


def rule_out(plan_rows: int, allowed: int, known: int, unanswered: int) -> Statement | None:
    """Return that a target cannot be certified against this reviewer, whatever else is reviewed; None where it may.

    `known`: rows reviewed before the audit whose label differs or that have no answer; `unanswered`: rows without an
    answer among those reviewed since, or the bound on all of them (`find_unanswered_floor`).
    """
    if known + unanswered <= allowed:
        return None
    return Statement(
        verdict="not certifiable",
        rows=plan_rows,
        differing=None,
        error=0.0,
        reason=f"{known} reviewed rows keep a label that differs from the reviewer's or have no answer, {unanswered} "
        f"more would stay without an answer, and the target allows {allowed}",
    )


def rule_out_unanswered(plan: AuditPlan, looks: Looks) -> Statement | None:
    """Return that too many rows would stay without an answer for the target, by the audit so far; None where not."""
    return rule_out(plan.rows, plan.allowed, plan.known, find_unanswered_floor(plan, looks))


def state_missed(plan: AuditPlan, looks: Looks, *, known: int, mended: int, error: float, look: int = -1) -> Statement:
    """Return what is known when an audit ends before its target is met, because the budget is spent, say.

    A second claim, with a part of the error probability of its own (`error`, from `share_error`): the bound of the
    confidence sequence on all rows that were unreviewed at the audit's start, less the `mended` ones, which differed
    and have taken the expert's answer since, in the audit and in widening. `known`: see AuditPlan.
    """
    at = slice(None, len(looks.ends) if look == -1 else look + 1)
    prior = expect_share(plan.rates[0])
    upper = int(bound_total_always(looks.wrong[at, 0], looks.drawn[at, 0], plan.unreviewed, error, prior)[-1])
    differing = known + upper - mended
    return Statement(
        verdict="not certified",
        rows=plan.rows,
        differing=differing,
        error=error,
        reason=f"at most {differing} of {plan.rows} labels differ, and the target allows {plan.allowed}",
    )


def state_counted(rows: int, allowed: int, known: int, unanswered: int, error: float) -> Statement:
    """Return what holds under a target where every row has been reviewed: no bound is needed, its rows are counted.

    `known`: rows reviewed before the audit whose label differs or that have no answer; `unanswered`: rows without an
    answer among the others. `error`: that of the audit, which had its chance to state what is not so.
    """
    hopeless = rule_out(rows, allowed, known, unanswered)
    return hopeless or Statement(verdict="certified", rows=rows, differing=allowed, error=error)


def state_by_sample(statement: Statement, allowed: int) -> Statement:
    """Return what a bound, stated by `state_bound`, says of a target: an expert whose answers were given beforehand,
    gold rows, can be asked for no more."""
    if statement.differing is None or statement.differing <= allowed:
        return statement.model_copy(update={"verdict": "certified"})
    reason = f"at most {statement.differing} of {statement.rows} labels differ, and the target allows {allowed}"
    return statement.model_copy(update={"verdict": "not certified", "reason": reason})
