"""The audit of a run's labels after its last stage, and the certificate that comes of it."""

from langgraph.runtime import Runtime

from graphs.allowance import free_for_audit
from graphs.audit_asking import Auditor
from graphs.audit_course import TargetAudit, audit_gold, audit_nothing, audit_sample
from graphs.audit_design import open_audit
from graphs.audit_files import AuditEnd, AuditFolder, find_last_audit
from graphs.certifying import certify_audit, certify_nothing, date_statement
from graphs.context import RunContext
from graphs.expert import find_expert
from graphs.people import audit_people
from graphs.state import RunState
from records.events import Certified
from records.folder import read_record, write_json


def audit(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Draw rows that nobody reviewed, ask the expert about them, and under a target widen review until it is met.

    From here on nothing is learned and nothing refitted. Raises LLMUnreachableError.
    """
    expert = find_expert(runtime.context)
    if expert is not None:
        free_for_audit(runtime.context)
        folder = open_audit(runtime.context, state, expert)
        write_json(folder.end, _run_audit(runtime.context, state, folder))


def _run_audit(context: RunContext, state: RunState, folder: AuditFolder) -> AuditEnd:
    design = folder.read_design()
    if design.expert == "gold":
        return audit_gold(context, state, folder, design)
    auditor = Auditor(context, state, design, folder.read_population())
    if design.target is None:
        return audit_sample(context, state, folder, design, auditor)
    if design.plan is None:
        return audit_nothing(design)
    return TargetAudit(context, folder, design, design.plan, auditor).run()


def certify(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Write certificate.json: what the audit shows of all labels, or why nothing is known of them, and what people's
    audit does, where there was one."""
    context, last = runtime.context, find_last_audit(runtime.context.folder)
    if find_expert(context) is None or last is None:
        certificate = certify_nothing(context)
    else:
        certificate = certify_audit(context.settings, last.read_design(), read_record(last.end, AuditEnd))
    if state["short"] and certificate.status != "certified":  # what was asked for is reached, whatever was not paid
        certificate = certificate.model_copy(update={"budget_reached": True})
    people = audit_people(context, state)
    if people is not None:
        certificate = certificate.model_copy(update={"statement": date_statement(certificate, people)})
    write_json(context.folder.certificate, certificate.model_copy(update={"people": people}))
    told = "" if people is None else people.statement
    context.emit(
        Certified(status=certificate.status, statement=certificate.statement, reason=certificate.reason, people=told)
    )
