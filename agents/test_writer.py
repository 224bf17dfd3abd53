"""The test writer: rows that a script for this model and task is likely to break on, as data, never as code."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from agents.asking import Asker
from agents.base import ModelCases
from agents.coder import show_model, show_prompt, show_task
from agents.prompting import render_prompt
from agents.replies import read_json
from records.candidate import Candidate
from records.task import TaskSpec
from templates.renderer import Example

FEWEST, MOST = 4, 16
LARGEST_TEXT = 2_000
"""Characters of a text as written, before it is repeated."""
LARGEST_ROW, LARGEST_TOTAL = 100_000, 400_000
"""Characters of one row with its repetitions, and of all of them."""


class OfflineTestWriter:
    """Adds nothing to the odd rows of the template and the examples of the labels."""

    def write_cases(self, task: TaskSpec, candidate: Candidate) -> ModelCases:
        """Return no cases."""
        return ModelCases()


class _RowReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    label: str | None = None
    repeat: int = Field(default=1, ge=1, le=2000)
    why: str = ""


class _PairReply(_RowReply):
    text_pair: str


class _RowsReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cases: list[_RowReply] = Field(min_length=FEWEST, max_length=MOST)


class _PairsReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cases: list[_PairReply] = Field(min_length=FEWEST, max_length=MOST)


class LLMTestWriter:
    """Has a language model think of rows."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def write_cases(self, task: TaskSpec, candidate: Candidate) -> ModelCases:
        """Return the rows that the model thought of. Raises ReplyError and LLMUnreachableError."""
        prompt = render_prompt(
            "test_writer",
            task=show_task(task, rules=False),
            pairs=task.kind == "text_pair",
            independent=task.kind == "multi_label",
            model=show_model(candidate),
            bounds={"fewest": FEWEST, "most": MOST, "text": LARGEST_TEXT, "row": LARGEST_ROW},
        )
        form = _PairsReply if task.kind == "text_pair" else _RowsReply
        read = read_json(form, lambda reply: _find_fault(task, _make_cases(reply)))
        reply = self._asker.ask(prompt, read, form.model_json_schema())
        return ModelCases(
            cases=_make_cases(reply.value), prompt=show_prompt(prompt), prompt_hash=prompt.hash, reply=reply.raw
        )


def _make_cases(reply: _RowsReply | _PairsReply) -> tuple[Example, ...]:
    return tuple(Example(**row.model_dump()) for row in reply.cases)


def _find_fault(task: TaskSpec, cases: Sequence[Example]) -> str | None:
    """Return what is wrong with the cases, in words that a model can act on."""
    faults = [
        f"cases.{number}: {fault}" for number, case in enumerate(cases) for fault in _find_case_faults(task, case)
    ]
    if (total := sum(map(_measure, cases))) > LARGEST_TOTAL:
        faults.append(f"cases: {total} characters with all repetitions; allowed are {LARGEST_TOTAL}")
    return "\n".join(faults) or None


def _find_case_faults(task: TaskSpec, case: Example) -> list[str]:
    faults: list[str] = []
    if case.label is not None and case.label not in task.label_names:
        faults.append(f"label {case.label!r} is none of the task's; allowed are {list(task.label_names)} and null")
    if max(len(case.text), len(case.text_pair or ""), len(case.why)) > LARGEST_TEXT:
        faults.append(f"a text has more than {LARGEST_TEXT} characters; use repeat for a long one")
    if _measure(case) > LARGEST_ROW:
        faults.append(f"{_measure(case)} characters when repeated; allowed are {LARGEST_ROW}")
    return faults


def _measure(case: Example) -> int:
    return case.repeat * (len(case.text) + len(case.text_pair or ""))
