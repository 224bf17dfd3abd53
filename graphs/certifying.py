"""The certificate in words: what an audit's statement says, of which expert, and why it says no more."""

import math

from graphs.audit_files import AuditDesign, AuditEnd
from graphs.context import RunContext
from records.outcome import Certificate, Expert, PeopleAudit
from records.settings import Settings
from specialists.certificate import Statement

EXPERTS: dict[Expert, str] = {
    "llm": "the language model {llm}",
    "human": "people",
    "gold": "the person who gave the gold rows",
}


def certify_audit(settings: Settings, design: AuditDesign, end: AuditEnd) -> Certificate:
    """Return the certificate that an audit comes to."""
    said, expert = end.statement, EXPERTS[design.expert].format(llm=settings.llm)
    if design.given:
        expert += f" (and you, for the {design.given:,} rows whose label you gave)"
    beside = None if said.beside is None else said.beside / said.rows
    return Certificate(
        status=said.verdict,
        statement=_state(settings.confidence, end, expert),
        reason=f"{said.reason[:1].upper()}{said.reason[1:]}." if said.reason else "",
        expert=design.expert,
        expert_name=expert,
        confidence=settings.confidence,
        target=end.target,
        bound=said.share,
        clopper_pearson=None if beside is None else min(beside, 1.0),
        rows=design.rows,
        reviewed=design.reviewed + end.answered,
        audited=end.drawn,
        differing=end.differing,
        unanswered=end.unanswered,
        widened=end.widened,
        budget_reached=end.budget_reached,
    )


def _state(confidence: float, end: AuditEnd, expert: str) -> str:
    said, target = end.statement, _tell_share(end.target or 0.0)
    if said.differing is None:
        return f"The target of {target} cannot be certified against {expert}."
    bound = _state_share(confidence, said.rows, said.differing, expert)
    if said.verdict == "not certified":
        return f"The target of {target} is not certified; {bound[0].lower()}{bound[1:]}"
    return bound


def _state_share(confidence: float, rows: int, differing: int, expert: str) -> str:
    return (
        f"With confidence {confidence:.4g} at most {_tell_share(differing / rows)} of the {rows:,} labels "
        f"({differing:,}) differ from what {expert} would have given."
    )


def _tell_share(share: float) -> str:
    """Return a share in percent, rounded up: no less may be said than is known."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:g} %"


def certify_people(
    settings: Settings, said: Statement, *, given: int, audited: int, differing: int, unanswered: int
) -> PeopleAudit:
    """Return the second line of a certificate, which people's audit comes to; its figures are those of PeopleAudit.

    Raises ValueError where the statement is no bound from a sample of fixed size.
    """
    if said.differing is None or said.beside is None:
        raise ValueError(f"{said} is not that of a sample of fixed size")
    return PeopleAudit(
        statement=_state_share(settings.confidence, said.rows, said.differing, EXPERTS["human"]),
        bound=said.differing / said.rows,
        clopper_pearson=min(said.beside / said.rows, 1.0),
        rows=said.rows,
        given=given,
        audited=audited,
        differing=differing,
        unanswered=unanswered,
        error=said.error,
    )


def date_statement(certificate: Certificate, people: PeopleAudit) -> str:
    """Return the first line's statement where people's audit came after it: it is of the labels before people gave
    theirs."""
    if certificate.expert is None:
        return certificate.statement
    gave = people.audited - people.unanswered
    return f"{certificate.statement} That is of the labels as they were before people gave {gave:,} of them."


def certify_nothing(context: RunContext) -> Certificate:
    """Return that there is no certificate, since there is no expert."""
    reason = "No expert was asked: no language model and no person reviewed."
    if context.settings.gold is not None:
        reason += " Gold rows certify where task.yaml declares them a random sample of the file (gold_sample: random)."
    return Certificate(
        status="none", statement="Nothing is certified.", reason=reason, target=context.settings.target_error
    )
