"""The coder: what differs between models in the scripts that run and teach one."""

import ast
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from agents.asking import Asker
from agents.base import Failure, ScriptParts
from agents.label_maps import guess_label_map, propose_label_map
from agents.prompting import Prompt, render_prompt, show_card
from agents.replies import find_fences, read_json
from agents.script_checks import check_script, parse_code
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec
from templates.renderer import Hyperparameters

_PARTS = {"preprocess": ["text", "text_pair"], "read_logits": ["logits", "problem_type"]}
"""The functions that a coder may write, each with the names of its arguments."""
Way = Literal["request", "whole"]
"""How a script is written, by the template of the prompt: as parts of the scripts' template, or whole."""
_OTHER: dict[Way, tuple[str, Way]] = {
    "request": ("template_cannot_fit", "whole"),
    "whole": ("template_fits", "request"),
}
"""A way → how a reply says that the other one is needed, and that one. A coder may turn so once in an attempt."""
LARGEST_SCRIPT = 60_000
"""Characters of a script that is written whole."""


class OfflineCoder:
    """Reads the classes by name and fills the templates with their defaults. It has nothing to try after a failure."""

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model; None after a failure, or where fewer than two labels can be told apart."""
        return None if failures else propose_default_parts(task, candidate)


def propose_default_parts(task: TaskSpec, candidate: Candidate) -> ScriptParts | None:
    """Return the template as it is with the classes read by rule, or guessed where nothing tells what they mean;
    None for a model with fewer than two classes."""
    label_map = propose_label_map(task, candidate)
    if len(label_map.covered()) < 2:
        label_map = guess_label_map(task, candidate, label_map.reason)
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


class _TurnReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, validation_alias=AliasChoices(*(name for name, _ in _OTHER.values())))


class LLMCoder:
    """Has a language model write the label map and, where a model needs it, two functions, the figures of its
    fine-tune, or the whole script. What a whole script must keep to is told only where one is asked for."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model, mending the last failure. Raises ReplyError and LLMUnreachableError."""
        way: Way = "whole" if failures and failures[-1].parts.script is not None else "request"
        prompt = make_prompt(way, task, candidate, failures)
        reply = self._asker.ask(prompt, lambda text: _read_turn(text, way) or _read_parts(text, way, task, candidate))
        if isinstance(reply.value, ScriptParts):
            return _keep_origin(reply.value, prompt, reply.raw)
        other = _OTHER[way][1]
        prompt = make_prompt(other, task, candidate, failures, why=reply.value)
        turned = self._asker.ask(prompt, lambda text: _read_parts(text, other, task, candidate))
        return _keep_origin(turned.value, prompt, turned.raw)


def make_prompt(
    way: Way, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure], why: str | None = None
) -> Prompt:
    """Return what a coder is asked; `why` it turned to this way, where it did, and then the other is not offered."""
    facts = {"columns": sorted(find_columns(candidate)), "training": Hyperparameters()}
    return render_prompt(
        "coder",
        way,
        task=show_task(task),
        pairs=task.kind == "text_pair",
        independent=task.kind == "multi_label",
        model=show_model(candidate),
        why=why,
        failures=[show_failure(failure) for failure in failures],
        **(facts if way == "request" else {"largest": LARGEST_SCRIPT}),
    )


def _keep_origin(parts: ScriptParts, prompt: Prompt, raw: str) -> ScriptParts:
    return parts.model_copy(update={"prompt": show_prompt(prompt), "prompt_hash": prompt.hash, "reply": raw})


def show_task(task: TaskSpec, *, rules: bool = True) -> dict[str, object]:
    """Return what a prompt shows of a task; without `rules`, neither its guidelines nor its edge cases."""
    shown = {"sentence", "kind", "labels", "language", "domain"} | ({"guidelines", "edge_cases"} if rules else set())
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


def _read_turn(reply: str, way: Way) -> str | None:
    """Return why a reply says that the other way is needed, or None where it does not. Raises ValueError."""
    name, _ = _OTHER[way]
    blocks = [*find_fences(reply, "json"), *find_fences(reply, "python")]
    if not any(f'"{name}"' in block for block in blocks):
        return None
    if len(blocks) > 1:
        raise ValueError(f"Send {name} alone, or leave it out and send what was asked for: not both.")
    return read_json(_TurnReply)(blocks[0]).why


def _read_parts(reply: str, way: Way, task: TaskSpec, candidate: Candidate) -> ScriptParts:
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
    code = find_fences(reply, "python")
    if way == "whole":
        if lessons:
            raise ValueError("A model with a whole script of its own is not fine-tuned: leave the training block out.")
        made: dict[str, Any] = {"script": _read_script(code)}
    else:
        made = dict(body for block in code for body in _read_bodies(block))
    if lessons:
        learned = read_json(_TrainingReply)(lessons[0])
        made |= {"hyperparameters": learned.training, "training_reason": learned.reason}
    parts = ScriptParts(label_map=label_map, reason=label_map.reason, **made)
    if faults := find_map_faults(task, candidate, parts):
        raise ValueError("\n".join(faults))
    return parts


def _read_script(blocks: Sequence[str]) -> str:
    """Return the script that is written whole in the only Python block. Raises ValueError."""
    if len(blocks) != 1 or ast.get_docstring(parse_code(blocks[0])) is None:
        raise ValueError(
            "Put the whole annotate.py into one python block that begins with a docstring, and no other beside it; "
            f"there were {len(blocks)}."
        )
    script = blocks[0]
    if len(script) > LARGEST_SCRIPT:
        raise ValueError(f"The script has {len(script)} characters; allowed are {LARGEST_SCRIPT}.")
    _refuse_problems(check_script(script, whole=True))
    return script


def _read_bodies(block: str) -> list[tuple[str, str]]:
    """Return name and body of the functions in a Python block. Raises ValueError where it holds anything else."""
    bodies: list[tuple[str, str]] = []
    for node in parse_code(block).body:
        if not isinstance(node, ast.FunctionDef) or node.name not in _PARTS or node.decorator_list:
            raise ValueError(
                "A python block may hold only the functions preprocess and read_logits, plain: "
                "nothing beside them, and no whole script."
            )
        if [argument.arg for argument in node.args.args] != _PARTS[node.name]:
            raise ValueError(f"{node.name} takes the arguments named {' and '.join(_PARTS[node.name])}.")
        first, last = node.body[0], node.body[-1]
        if first.lineno == node.lineno:
            raise ValueError(f"Write the body of {node.name} on lines of its own.")
        lines = block.split("\n")[first.lineno - 1 : last.end_lineno]
        bodies.append((node.name, textwrap.dedent("\n".join(lines))))
    _refuse_problems(check_script(block))
    return bodies


def _refuse_problems(problems: Sequence[str]) -> None:
    """Raise ValueError for code that may not be run: before it is, the critic looks once more at all of it."""
    if problems:
        raise ValueError("\n".join(problems))
