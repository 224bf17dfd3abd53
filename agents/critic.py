"""The critic: may a script that was written and tested be used?"""

import re

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import ScriptParts, Verdict
from agents.coder import find_map_faults, show_model, show_task
from agents.excerpt import Excerpt, find_excerpt
from agents.lint import lint_script
from agents.prompting import render_prompt
from agents.repair import find_errors
from agents.replies import read_json
from agents.script_checks import check_script, parse_code
from records.candidate import Candidate
from records.task import TaskSpec

_ALL_PASSED = re.compile(r"\.+( +\[ *\d+%\])?|\d+ passed in … s")
"""The lines of a test's output, once cleaned, that tell of nothing but passed tests."""


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
        excerpt = find_excerpt(script, parts)
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
            first=excerpt.first,
            lines=excerpt.lines,
            written=excerpt.written,
            findings=[str(finding) for finding in lint_script(script) if excerpt.holds(finding.line)],
            output=find_remarks(output),
        )
        read = read_json(_VerdictReply, lambda reply: _find_fault(reply, excerpt))
        reply = self._asker.ask(prompt, read, _VerdictReply.model_json_schema()).value
        reasons = tuple(f"line {one.line}: {one.fault}; {one.mend}" for one in reply.reasons)
        return Verdict(approved=reply.approved, reasons=reasons)


def find_remarks(output: str) -> str:
    """Return what a passed test printed; nothing where it says no more than that all was passed."""
    said = [line for line in output.splitlines() if line.strip() and not _ALL_PASSED.fullmatch(line.strip())]
    return output if said else ""


def _find_fault(reply: _VerdictReply, excerpt: Excerpt) -> str | None:
    """Return what is wrong with a verdict, in words that a model can act on."""
    if reply.approved == bool(reply.reasons):
        return "reasons: a refusal needs at least one, and an approval has none."
    beyond = [one.line for one in reply.reasons if not excerpt.holds(one.line)]
    if not beyond:
        return None
    allowed = ", ".join(f"{first} to {last}" for first, last in excerpt.written.values())
    return (
        f"reasons: line {beyond[0]} is none of the lines that were written for this model: {allowed}. "
        "Name one of these; where none of them is at fault, approve."
    )


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
