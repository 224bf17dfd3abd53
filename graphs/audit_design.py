"""Fixes an audit before its first draw: its expert, its rows in their orders, its tests, and its share of the error."""

import hashlib
from dataclasses import replace

import numpy as np

from graphs.audit_files import AuditDesign, AuditFolder, Population, find_last_audit, take_claim
from graphs.audit_rows import NO_LABEL, FinalRows, scan_rows
from graphs.context import RunContext
from graphs.deciding import expect_difference
from graphs.gold import read_held_gold
from graphs.state import RunState
from records.folder import file_sha256
from records.outcome import Expert
from records.settings import Settings
from specialists.arrays import Booleans, Integers
from specialists.audit import AuditPlan, draw_order
from specialists.audit_planning import plan_audit
from specialists.certificate import count_allowed, size_sample

SALT = 0xA0D17
"""Sets the draws of the audit apart from all others that the run makes with its seed."""

SETTLED_RISK = 0.0
"""Of a row that has the label which the expert gave to a text that is the same but for white space and case: it is the
last to be widened. The order decides what an audit costs, and nothing of what it states."""


def open_audit(context: RunContext, state: RunState, expert: Expert) -> AuditFolder:
    """Return the audit of these labels for this target, the one that has begun or a new one.

    Gold rows are a sample that knows no target: their audit serves every one.
    """
    labels, last = _hash_labels(context, state), find_last_audit(context.folder)
    target = None if expert == "gold" else context.settings.target_error
    if last is not None:
        design = last.read_design()
        if (design.expert, design.target, design.labels) == (expert, target, labels):
            return last
    audit = AuditFolder(context.folder, 1 if last is None else last.number + 1)
    if expert == "gold":
        design, population = _design_gold(context, state, audit.number)
    else:
        design, population = _design_review(context, state, audit.number, expert)
    audit.write_design(design.model_copy(update={"labels": labels}), population)
    return audit


def _hash_labels(context: RunContext, state: RunState) -> str:
    """Return the sha256 of all labels as the stages left them."""
    hashes = [file_sha256(context.folder.stage_labels(stage)) for stage in range(state["stages"])]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _design_review(context: RunContext, state: RunState, number: int, expert: Expert) -> tuple[AuditDesign, Population]:
    """Return the audit of the rows that nobody reviewed, in an order of risk and an order of draws."""
    rows = scan_rows(context, state)
    expected = expect_difference(context, state, rows.risk)
    rows = replace(rows, risk=np.where(rows.settled, SETTLED_RISK, expected))
    places = np.flatnonzero(~rows.reviewed)
    places = places[np.argsort(-rows.risk[places], kind="stable")]
    target, total = context.settings.target_error, len(rows.row)
    design = AuditDesign(
        number=number,
        expert=expert,
        target=target,
        rows=total,
        reviewed=int(rows.reviewed.sum()),
        known=int(rows.differs.sum()),
        given=int(rows.gold.sum()),
        unreviewed=len(places),
        allowed=None if target is None else count_allowed(total, target),
        sample=size_sample(total, len(places)) if target is None else 0,
        error=take_claim(context.folder, number, "audit", context.settings.confidence),
    )
    order = draw_order(len(places), make_seed(context.settings, number))
    return design.model_copy(update={"plan": _plan(design, rows, places)}), _take(rows, places, order)


def _plan(design: AuditDesign, rows: FinalRows, places: Integers) -> AuditPlan | None:
    """Return the tests under a target; None where there is none, or no audit can help."""
    if design.allowed is None or design.known > design.allowed or not len(places):
        return None
    asked = rows.answer[rows.asked & ~rows.gold]
    return plan_audit(
        rows.risk[places],
        rows=design.rows,
        allowed=design.allowed,
        known=design.known,
        error=design.error,
        unanswered_rate=float((asked == NO_LABEL).mean()) if len(asked) else 0.0,
    )


def make_seed(settings: Settings, number: int) -> int:
    """Return the seed of an audit's draws."""
    sequence = np.random.SeedSequence((SALT, settings.seed, number))
    return int(sequence.generate_state(1, np.uint64)[0])


def _take(rows: FinalRows, places: Integers, order: Integers) -> Population:
    return Population(rows.row[places], rows.group[places], rows.label[places], order)


def _design_gold(context: RunContext, state: RunState, number: int) -> tuple[AuditDesign, Population]:
    """Return the audit of all rows but those whose gold label the run has used, by those whose was set aside.

    Theirs is a uniform sample of these rows: no label of the run depends on which of them it is.
    """
    rows = scan_rows(context, state, held_gold=False)
    held = np.array(sorted(read_held_gold(context.folder)), dtype=np.int64)
    used: Booleans = rows.asked & rows.gold
    places = np.flatnonzero(~used)
    drawn = np.flatnonzero(np.isin(rows.row[places], held))
    order = np.concatenate([drawn, np.setdiff1d(np.arange(len(places)), drawn)]).astype(np.int64)
    design = AuditDesign(
        number=number,
        expert="gold",
        target=None,
        rows=len(rows.row),
        reviewed=int(used.sum()),
        known=int((rows.label != rows.answer)[used].sum()),
        unreviewed=len(places),
        allowed=None,
        sample=len(drawn),
        error=take_claim(context.folder, number, "audit", context.settings.confidence),
    )
    return design, _take(rows, places, order)
