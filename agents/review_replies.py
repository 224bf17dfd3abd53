"""What a reviewer must reply, and what makes a reply a fault: it is then distrusted as a whole."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from agents.prompting import shorten
from agents.replies import read_json
from records.task import CANNOT_TELL, TaskSpec

THINKING_TOKENS = 4096
"""Tokens of a reply, beside its answers, that a model which thinks first may need."""
TELLING_REPLIES, LEAST_THINKING = 10, 256
"""So many replies tell how long a model thinks; so many tokens it may have in any case."""
ANSWER_TOKENS, THOUGHT_TOKENS, REASON_TOKENS = 50, 200, 100
"""Tokens of one answer beside its label (id, field names, white space); of its thought; of its reason."""

Said = str | tuple[str, ...]
"""A label of the task, CANNOT_TELL, or a tuple of labels where a text may have any number of them."""


@dataclass(frozen=True)
class ReplyForm:
    """What each answer holds, beside its id, its label and how sure the model is."""

    labels: tuple[str, ...]
    several: bool
    """Whether a text has any number of labels: a list `labels` stands in the place of `label`."""
    thoughts: bool
    reasons: bool


@dataclass(frozen=True)
class Answer:
    """What a model said of one row. `sure` is from 0 to 1, as it was stated."""

    said: Said
    sure: float
    reason: str


class _AnswerReply(BaseModel):
    id: str
    thought: str | None = None
    label: str | None = None
    labels: list[str] | str | None = None
    sure: float = Field(ge=0, le=1, allow_inf_nan=False)
    reason: str | None = None


class _AnswersReply(BaseModel):
    answers: list[_AnswerReply]


def make_form(task: TaskSpec, *, thoughts: bool, reasons: bool) -> ReplyForm:
    """Return the form of a reply about rows of a task."""
    return ReplyForm(task.label_names, several=task.kind == "multi_label", thoughts=thoughts, reasons=reasons)


def make_schema(form: ReplyForm, ids: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of a reply, within what strict servers take.

    Fields are written in its order: a model that has to give a reason thinks before it chooses a label.
    """
    if form.several:
        chosen: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": [*form.labels]}}
        label = {"labels": {"anyOf": [chosen, {"type": "string", "enum": [CANNOT_TELL]}]}}
    else:
        label = {"label": {"type": "string", "enum": [*form.labels, CANNOT_TELL]}}
    fields: dict[str, Any] = {
        "id": {"type": "string", "enum": [*ids]},
        **({"thought": {"type": "string"}} if form.thoughts else {}),
        **({"reason": {"type": "string"}} if form.reasons else {}),
        **label,
        "sure": {"type": "number"},
    }
    return _make_object({"answers": {"type": "array", "items": _make_object(fields)}})


def _make_object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def bound_reply(form: ReplyForm, rows: int, thinking: int = THINKING_TOKENS) -> int:
    """Return the most tokens that a reply about so many rows needs, and those of `thinking` that may stand before it.

    A label has at most as many tokens as bytes in UTF-8 (see `agents.purse`), escaped in JSON at most thrice that.
    """
    lengths = [len(json.dumps(label)) for label in (*form.labels, CANNOT_TELL)]
    label = sum(lengths) if form.several else max(lengths)
    said = THOUGHT_TOKENS * form.thoughts + REASON_TOKENS * form.reasons
    return thinking + rows * (ANSWER_TOKENS + label + said)


def bound_thinking(counted: int, most: int) -> int:
    """Return the most tokens that may stand before an answer, where `counted` replies had `most` at most, all in all:
    twice as many as that, once there are enough to tell."""
    if counted < TELLING_REPLIES:
        return THINKING_TOKENS
    return min(max(2 * most, LEAST_THINKING), THINKING_TOKENS)


def write_example(form: ReplyForm, rows: int) -> dict[str, Any]:
    """Return a made-up reply about one row or two in the form that is asked for; no row ever has one of its ids."""
    made = (
        ("a1b8c0", "The text says plainly what this label stands for.", 0.97),
        ("d0e1f9", "Two words point to this label; a third could be meant otherwise.", 0.6),
    )
    lists = ([*form.labels[:2]], [])
    answers = [
        {
            "id": key,
            **({"thought": thought} if form.thoughts else {}),
            **({"reason": "…"} if form.reasons else {}),
            **({"labels": several} if form.several else {"label": label}),
            "sure": sure,
        }
        for (key, thought, sure), label, several in zip(made[:rows], form.labels, lists, strict=False)
    ]
    return {"answers": answers}


def read_answers(form: ReplyForm, ids: Sequence[str]) -> Callable[[str], dict[str, Answer]]:
    """Return a reader of replies: id → answer, for exactly the ids asked about.

    The reader raises ValueError, in words that a model can act on, for a reply with anything wrong in it.
    """
    allowed = {name.strip().casefold(): name for name in (*form.labels, CANNOT_TELL)}

    def check(reply: _AnswersReply) -> str | None:
        problems = _find_wrong_ids(reply, ids)
        for answer in reply.answers:
            problems += [f"{shorten(answer.id, 20)}: {wrong}" for wrong in _find_wrong_fields(answer, form, allowed)]
        return "\n".join(problems[:10]) or None

    read = read_json(_AnswersReply, check)

    def read_checked(reply: str) -> dict[str, Answer]:
        return {
            answer.id.strip(): Answer(_read_said(answer, form, allowed), answer.sure, answer.reason or "")
            for answer in read(reply).answers
        }

    return read_checked


def _find_wrong_ids(reply: _AnswersReply, ids: Sequence[str]) -> list[str]:
    counts = Counter(answer.id.strip() for answer in reply.answers)
    missing = [key for key in ids if not counts[key]]
    unknown = [shorten(key, 20) for key in counts if key not in ids]
    doubled = [key for key in ids if counts[key] > 1]
    return [
        f"{what}: {', '.join(keys[:20])}"
        for what, keys in (
            ("no answer for these ids", missing),
            ("answers for ids that no row has", unknown),
            ("more than one answer for these ids", doubled),
        )
        if keys
    ]


def _find_wrong_fields(answer: _AnswerReply, form: ReplyForm, allowed: dict[str, str]) -> list[str]:
    wrong: list[str] = []
    if form.thoughts and not answer.thought:
        wrong.append("the thought is missing")
    if form.reasons and not answer.reason:
        wrong.append("the reason is missing")
    if form.several:
        return wrong + _find_wrong_labels(answer.labels, form, allowed)
    if answer.label is None:
        wrong.append("the label is missing")
    elif answer.label.strip().casefold() not in allowed:
        wrong.append(_refuse(answer.label, form))
    return wrong


def _find_wrong_labels(said: list[str] | str | None, form: ReplyForm, allowed: dict[str, str]) -> list[str]:
    if said is None:
        return ["the list of labels is missing"]
    if isinstance(said, str):
        return [] if said.strip().casefold() == CANNOT_TELL else [f"labels is no list: {shorten(said, 60)!r}"]
    written = [label.strip().casefold() for label in said]
    wrong = [_refuse(label, form) for label, key in zip(said, written, strict=True) if allowed.get(key) is None]
    if CANNOT_TELL in written:
        wrong.append(f"{CANNOT_TELL!r} stands in the place of the list, not in it")
    if len(set(written)) < len(written):
        wrong.append("a label stands twice in the list")
    return wrong


def _refuse(label: str, form: ReplyForm) -> str:
    named = ", ".join(repr(name) for name in form.labels)
    return f"{shorten(label, 60)!r} is no label of the task; allowed are {named} and {CANNOT_TELL!r}"


def _read_said(answer: _AnswerReply, form: ReplyForm, allowed: dict[str, str]) -> Said:
    """Return what a checked answer says; several labels in the order of the task's."""
    if not form.several:
        return allowed[(answer.label or "").strip().casefold()]
    if not isinstance(answer.labels, list):
        return CANNOT_TELL
    chosen = {allowed[label.strip().casefold()] for label in answer.labels}
    return tuple(name for name in form.labels if name in chosen)
