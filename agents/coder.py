"""The coder: what differs between models in the script that runs one."""

import ast
import textwrap
from collections.abc import Sequence

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import Failure, ScriptParts
from agents.label_maps import propose_label_map
from agents.prompting import Prompt, render_prompt, shorten
from agents.replies import find_fences, read_json
from agents.script_checks import check_script, parse_code
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec

_PARTS = {"preprocess": "text", "read_logits": "logits"}
"""The functions that a coder may write, each with the name of its one argument."""


class OfflineCoder:
    """Reads the classes by name and fills the templates with their defaults. It has nothing to try after a failure."""

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model; None after a failure, or where fewer than two labels can be told apart."""
        label_map = propose_label_map(task, candidate)
        if failures or len(label_map.covered()) < 2:
            return None
        return ScriptParts(label_map=label_map, reason=label_map.reason)


class _MapReply(BaseModel):
    classes: dict[int, str | None]
    reason: str = ""


class LLMCoder:
    """Has a language model write the label map, and the two functions where a model needs them."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model, mending the last failure. Raises ReplyError and LLMUnreachableError."""
        prompt = render_prompt(
            "coder",
            sentence=task.sentence,
            labels=task.labels,
            model=show_model(candidate),
            failures=[show_failure(failure) for failure in failures],
        )
        reply = self._asker.ask(prompt, lambda text: _read_parts(text, task, candidate))
        return reply.value.model_copy(update={"prompt": _show_prompt(prompt), "reply": reply.raw})


def show_model(candidate: Candidate) -> dict[str, object]:
    """Return what a prompt shows of a model."""
    return {
        "name": candidate.repo_id,
        "classes": candidate.id2label,
        "architecture": candidate.architecture,
        "trained_on": candidate.datasets,
        "card": shorten(candidate.card, 3000),
    }


def show_failure(failure: Failure) -> dict[str, object]:
    """Return what a prompt shows of a refused attempt."""
    return {
        "classes": failure.parts.label_map.classes,
        "preprocess": failure.parts.preprocess,
        "read_logits": failure.parts.read_logits,
        "reasons": failure.reasons,
        "output": failure.output[-2000:],
    }


def _show_prompt(prompt: Prompt) -> str:
    return f"{prompt.system}\n\n{prompt.request}\n"


def _read_parts(reply: str, task: TaskSpec, candidate: Candidate) -> ScriptParts:
    """Return the parts that a reply's fenced blocks hold. Raises ValueError with what is wrong with them."""
    blocks = find_fences(reply, "json")
    if len(blocks) != 1:
        raise ValueError(f"Put the label map into one fenced json block; there were {len(blocks)}.")
    label_map = read_json(_MapReply)(blocks[0])
    allowed = set(task.label_names)
    if set(label_map.classes) != set(candidate.id2label):
        raise ValueError(f"classes: name every class of the model once: {sorted(candidate.id2label)}.")
    if unknown := sorted({label for label in label_map.classes.values() if label is not None} - allowed):
        raise ValueError(f"classes: {unknown} are no labels of the task; allowed are {sorted(allowed)} and null.")
    read = LabelMap(classes=label_map.classes, reason=label_map.reason)
    if len(read.covered()) < 2:
        raise ValueError("classes: at least two labels of the task must be covered.")
    bodies = dict(body for block in find_fences(reply, "python") for body in _read_bodies(block))
    return ScriptParts(
        label_map=read,
        preprocess=bodies.get("preprocess"),
        read_logits=bodies.get("read_logits"),
        reason=read.reason,
    )


def _read_bodies(block: str) -> list[tuple[str, str]]:
    """Return name and body of the functions in a Python block. Raises ValueError where it holds anything else."""
    bodies: list[tuple[str, str]] = []
    for node in parse_code(block).body:
        if not isinstance(node, ast.FunctionDef) or node.name not in _PARTS or node.decorator_list:
            raise ValueError("A python block may hold only the functions preprocess and read_logits, plain.")
        if [argument.arg for argument in node.args.args] != [_PARTS[node.name]]:
            raise ValueError(f"{node.name} takes one argument, named {_PARTS[node.name]}.")
        first, last = node.body[0], node.body[-1]
        if first.lineno == node.lineno:
            raise ValueError(f"Write the body of {node.name} on lines of its own.")
        lines = block.splitlines()[first.lineno - 1 : last.end_lineno]
        bodies.append((node.name, textwrap.dedent("\n".join(lines))))
    if problems := check_script(block):  # before it is ever run; the critic looks at the whole script once more
        raise ValueError("\n".join(problems))
    return bodies
