"""The coder: what differs between models in the scripts that run and teach one."""

import ast
import textwrap
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.asking import Asker
from agents.base import Failure, ScriptParts
from agents.label_maps import propose_label_map
from agents.prompting import Prompt, render_prompt, show_card
from agents.replies import find_fences, read_json
from agents.script_checks import check_script, parse_code
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec
from templates.renderer import Hyperparameters

_PARTS = {"preprocess": ["text", "text_pair"], "read_logits": ["logits", "problem_type"]}
"""The functions that a coder may write, each with the names of its arguments."""
LARGEST_SCRIPT = 60_000
"""Characters of a script that is written whole."""


class OfflineCoder:
    """Reads the classes by name and fills the templates with their defaults. It has nothing to try after a failure."""

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model; None after a failure, or where fewer than two labels can be told apart."""
        return None if failures else propose_default_parts(task, candidate)


def propose_default_parts(task: TaskSpec, candidate: Candidate) -> ScriptParts | None:
    """Return the template as it is with the classes read by rule; None where that covers fewer than two labels."""
    label_map = propose_label_map(task, candidate)
    if len(label_map.covered()) < 2:
        return None
    return ScriptParts(label_map=label_map, reason=label_map.reason)


class _MapReply(BaseModel):
    classes: dict[int, str | None]
    reason: str = ""


class _TrainingReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    training: Hyperparameters
    reason: str = ""


class LLMCoder:
    """Has a language model write the label map and, where a model needs it, two functions, the figures of its
    fine-tune, or the whole script."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model, mending the last failure. Raises ReplyError and LLMUnreachableError."""
        prompt = render_prompt(
            "coder",
            task=show_task(task),
            pairs=task.kind == "text_pair",
            independent=task.kind == "multi_label",
            model=show_model(candidate),
            columns=sorted(find_columns(candidate)),
            training=Hyperparameters(),
            failures=[show_failure(failure) for failure in failures],
        )
        reply = self._asker.ask(prompt, lambda text: _read_parts(text, task, candidate))
        made = {"prompt": show_prompt(prompt), "prompt_hash": prompt.hash, "reply": reply.raw}
        return reply.value.model_copy(update=made)


def show_task(task: TaskSpec) -> dict[str, object]:
    """Return what a prompt shows of a task."""
    shown = {"sentence", "kind", "labels", "language", "domain", "guidelines", "edge_cases"}
    return task.model_dump(mode="json", include=shown)


def show_model(candidate: Candidate) -> dict[str, object]:
    """Return what a prompt shows of a model."""
    return {
        "name": candidate.repo_id,
        "classes": candidate.id2label,
        "architecture": candidate.architecture,
        "model_type": candidate.model_type,
        "max_length": candidate.max_length,
        "languages": candidate.languages,
        "trained_on": candidate.datasets,
        "card": show_card(candidate.card, 3000),
    }


def show_failure(failure: Failure) -> dict[str, object]:
    """Return what a prompt shows of a refused attempt."""
    parts = failure.parts
    return {
        "classes": parts.label_map.classes,
        **({"script": parts.script} if parts.script else {}),
        "preprocess": parts.preprocess,
        "read_logits": parts.read_logits,
        "reasons": failure.reasons,
        "output": failure.output,
    }


def show_prompt(prompt: Prompt) -> str:
    """Return a prompt as it is kept beside what was made from it."""
    return f"{prompt.system}\n\n{prompt.request}\n"


def find_columns(candidate: Candidate) -> set[int]:
    """Return the columns that the template's own reading of the logits has for this model: its classes, or "no" and
    "yes" where its configuration names a single one."""
    return set(candidate.id2label) if len(candidate.id2label) != 1 else {0, 1}


def find_map_faults(task: TaskSpec, candidate: Candidate, parts: ScriptParts) -> list[str]:
    """Return what is wrong with how these parts read the model's columns; [] where nothing is."""
    label_map, faults = parts.label_map, []
    if parts.read_logits is None and parts.script is None:
        if set(label_map.classes) != find_columns(candidate):
            faults.append(f"classes: name every class of the model once: {sorted(find_columns(candidate))}")
    elif sorted(label_map.classes) != list(range(len(label_map.classes))):
        faults.append(f"classes: count the columns from 0 without a gap, not {sorted(label_map.classes)}")
    if unknown := sorted(label_map.covered() - set(task.label_names)):
        allowed = sorted(task.label_names)
        faults.append(f"classes: {unknown} are no labels of the task; allowed are {allowed} and null")
    if len(label_map.covered() & set(task.label_names)) < 2:
        faults.append("classes: at least two labels of the task must be covered")
    return faults


def _read_parts(reply: str, task: TaskSpec, candidate: Candidate) -> ScriptParts:
    """Return the parts that a reply's fenced blocks hold. Raises ValueError with what is wrong with them."""
    blocks = find_fences(reply, "json")
    maps = [block for block in blocks if '"training"' not in block]
    lessons = [block for block in blocks if '"training"' in block]
    if len(maps) != 1 or len(lessons) > 1:
        raise ValueError(
            "Put the label map into one fenced json block of its own, and hyperparameters, where you set any, into "
            f"one other; there were {len(maps)} and {len(lessons)}."
        )
    read = read_json(_MapReply)(maps[0])
    label_map = LabelMap(classes=dict(sorted(read.classes.items())), reason=read.reason)
    code = _read_code(find_fences(reply, "python"))
    if lessons and code.get("script"):
        raise ValueError("A model with a whole script of its own is not fine-tuned: leave the training block out.")
    lesson: dict[str, Any] = {}
    if lessons:
        learned = read_json(_TrainingReply)(lessons[0])
        lesson = {"hyperparameters": learned.training, "training_reason": learned.reason}
    parts = ScriptParts(label_map=label_map, reason=label_map.reason, **code, **lesson)
    if faults := find_map_faults(task, candidate, parts):
        raise ValueError("\n".join(faults))
    return parts


def _read_code(blocks: Sequence[str]) -> dict[str, str]:
    """Return the functions' bodies, or the whole script, that Python blocks hold. Raises ValueError."""
    whole = [block for block in blocks if ast.get_docstring(parse_code(block)) is not None]
    if not whole:
        return dict(body for block in blocks for body in _read_bodies(block))
    if len(blocks) > 1:
        raise ValueError("A whole script stands alone: put all of it into one python block, and no other beside it.")
    if len(whole[0]) > LARGEST_SCRIPT:
        raise ValueError(f"The script has {len(whole[0])} characters; allowed are {LARGEST_SCRIPT}.")
    _refuse_problems(check_script(whole[0], whole=True))
    return {"script": whole[0]}


def _read_bodies(block: str) -> list[tuple[str, str]]:
    """Return name and body of the functions in a Python block. Raises ValueError where it holds anything else."""
    bodies: list[tuple[str, str]] = []
    for node in parse_code(block).body:
        if not isinstance(node, ast.FunctionDef) or node.name not in _PARTS or node.decorator_list:
            raise ValueError(
                "A python block may hold only the functions preprocess and read_logits, plain; "
                "a whole script begins with a docstring."
            )
        if [argument.arg for argument in node.args.args] != _PARTS[node.name]:
            raise ValueError(f"{node.name} takes the arguments named {' and '.join(_PARTS[node.name])}.")
        first, last = node.body[0], node.body[-1]
        if first.lineno == node.lineno:
            raise ValueError(f"Write the body of {node.name} on lines of its own.")
        lines = block.splitlines()[first.lineno - 1 : last.end_lineno]
        bodies.append((node.name, textwrap.dedent("\n".join(lines))))
    _refuse_problems(check_script(block))
    return bodies


def _refuse_problems(problems: Sequence[str]) -> None:
    """Raise ValueError for code that may not be run: before it is, the critic looks once more at all of it."""
    if problems:
        raise ValueError("\n".join(problems))
