"""The critic: may a script that was written and tested be used?"""

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import ScriptParts, Verdict
from agents.coder import show_model
from agents.prompting import render_prompt
from agents.replies import read_json
from agents.script_checks import check_script
from records.candidate import Candidate
from records.task import TaskSpec


class OfflineCritic:
    """The checks that need no language model."""

    def criticise(
        self, task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
    ) -> Verdict:
        """Judge a script after its test. What failed its test is never approved."""
        return check_by_rule(task, candidate, parts, script, passed=passed, output=output)


class _VerdictReply(BaseModel):
    approved: bool
    reasons: list[str] = []


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
        prompt = render_prompt(
            "critic",
            sentence=task.sentence,
            labels=task.label_names,
            model=show_model(candidate),
            classes=parts.label_map.classes,
            reason=parts.reason,
            script=script,
            output=output[-2000:],
        )
        reply = self._asker.ask(prompt, read_json(_VerdictReply, _find_fault), _VerdictReply.model_json_schema()).value
        return Verdict(approved=reply.approved, reasons=tuple(reply.reasons))


def _find_fault(reply: _VerdictReply) -> str | None:
    return None if reply.approved or reply.reasons else "reasons: a refusal needs at least one reason."


def check_by_rule(
    task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
) -> Verdict:
    """Approve a script that passed its test, reads the model's classes as labels of the task, at least two of them,
    and does nothing that such a script has no business doing."""
    reasons = list(check_script(script))
    if not passed:
        last = output.strip().splitlines()[-1:] or ["no output"]
        reasons.insert(0, f"it failed its test: {last[0][:300]}")
    covered = parts.label_map.covered()
    if unknown := sorted(covered - set(task.label_names)):
        reasons.append(f"the label map names {', '.join(unknown)}, which the task does not")
    if len(covered & set(task.label_names)) < 2:
        reasons.append("the label map covers fewer than two of the task's labels")
    if set(parts.label_map.classes) != set(candidate.id2label):
        reasons.append(f"the label map reads other classes than the model's {sorted(candidate.id2label)}")
    return Verdict(approved=not reasons, reasons=tuple(reasons))
