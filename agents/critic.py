"""The critic: may a script that was written and tested be used?"""

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import ScriptParts, Verdict
from agents.coder import find_map_faults, show_model, show_task
from agents.lint import lint_script
from agents.prompting import render_prompt
from agents.repair import find_errors
from agents.replies import read_json
from agents.script_checks import check_script, parse_code
from records.candidate import Candidate
from records.task import TaskSpec


class OfflineCritic:
    """The checks that need no language model."""

    def criticise(
        self, task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
    ) -> Verdict:
        """Judge a script after its test. What failed its test is never approved."""
        return check_by_rule(task, candidate, parts, script, passed=passed, output=output)


class _FaultReply(BaseModel):
    line: int
    fault: str
    mend: str


class _VerdictReply(BaseModel):
    approved: bool
    reasons: list[_FaultReply] = []


class LLMCritic:
    """The same checks first, and none of them can be argued away; then a language model looks for other faults."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def criticise(
        self, task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
    ) -> Verdict:
        """Judge a script after its test. What failed its test is never approved.

        Raises ReplyError and LLMUnreachableError.
        """
        verdict = check_by_rule(task, candidate, parts, script, passed=passed, output=output)
        if not verdict.approved:
            return verdict
        lines = script.splitlines()
        prompt = render_prompt(
            "critic",
            task=show_task(task),
            pairs=task.kind == "text_pair",
            independent=task.kind == "multi_label",
            model=show_model(candidate),
            classes=parts.label_map.classes,
            reason=parts.reason,
            whole=parts.script is not None,
            training={} if parts.hyperparameters is None else parts.hyperparameters.model_dump(),
            lines=lines,
            findings=[str(finding) for finding in lint_script(script)],
            output=output,
        )
        read = read_json(_VerdictReply, lambda reply: _find_fault(reply, len(lines)))
        reply = self._asker.ask(prompt, read, _VerdictReply.model_json_schema()).value
        reasons = tuple(f"line {one.line}: {one.fault}; {one.mend}" for one in reply.reasons)
        return Verdict(approved=reply.approved, reasons=reasons)


def _find_fault(reply: _VerdictReply, lines: int) -> str | None:
    """Return what is wrong with a verdict, in words that a model can act on."""
    if reply.approved == bool(reply.reasons):
        return "reasons: a refusal needs at least one, and an approval has none."
    beyond = [one.line for one in reply.reasons if not 1 <= one.line <= lines]
    return f"reasons: the script has the lines 1 to {lines}, and no line {beyond[0]}." if beyond else None


def check_by_rule(
    task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
) -> Verdict:
    """Approve a script that passed its test, reads the model's classes as labels of the task, at least two of them,
    holds no bug that can be seen, and does nothing that such a script has no business doing."""
    reasons: list[str] = []
    if not passed:
        first = next(iter(find_errors(output)), "no output")
        reasons.append(f"it failed its test: {first[:300]}")
    reasons += check_script(script, whole=parts.script is not None)
    if _is_python(script):
        reasons += [str(finding) for finding in lint_script(script) if finding.fault]
    reasons += find_map_faults(task, candidate, parts)
    return Verdict(approved=not reasons, reasons=tuple(reasons))


def _is_python(script: str) -> bool:
    try:
        parse_code(script)
    except ValueError:
        return False
    return True
