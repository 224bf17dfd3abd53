"""The analyst with a language model: from the person's sentence and a look at their file to the task."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from agents.analyst_rules import check_labels, choose_text_columns, split_list, unclear_text
from agents.asking import Asker
from agents.base import TaskRequest
from agents.prompting import Prompt, render_prompt, shorten
from agents.replies import read_json
from records.errors import TaskUnclearError
from records.task import CANNOT_TELL, LONGEST_NAME, Kind, LabelSpec, TaskSpec, fold

MOST_QUESTIONS = 2
"""Questions to the person in a run; then the analyst must decide."""
MOST_LABELS = 100
MOST_EDGE_CASES = 8
SHOWN_LENGTH, SHOWN_OF_A_ROW, SHOWN_COLUMNS = 300, 4000, 30
"""Characters of a value and of a whole row that the model is shown, and columns of a row: those with text first."""

_Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME), BeforeValidator(fold)]
_Short = Annotated[str, StringConstraints(max_length=60), BeforeValidator(fold)]
_Line = Annotated[str, StringConstraints(max_length=300), BeforeValidator(fold)]
_Guidelines = Annotated[str, StringConstraints(max_length=600), BeforeValidator(fold)]
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class _LabelReply(BaseModel):
    name: _Name
    definition: _Line = ""
    example: _Line = ""
    example_pair: _Line = ""


class _QuestionReply(BaseModel):
    asks: Literal["labels", "text"]
    question: Annotated[_Line, Field(min_length=1)]
    options: list[_Short] = Field(default=[], max_length=6)
    changes: Annotated[_Line, Field(min_length=1)]
    """How the answer changes the labels or the column: what it does not change is not worth a person's time."""


class _TaskReply(BaseModel):
    """A task, or a question beside which the rest may be missing."""

    kind: Kind | None = None
    labels: list[_LabelReply] = Field(default=[], max_length=MOST_LABELS)
    text_columns: list[str] = []
    language: _Short = ""
    domain: _Short = ""
    family: _Short = ""
    guidelines: _Guidelines = ""
    edge_cases: list[_Line] = Field(default=[], max_length=MOST_EDGE_CASES)
    question: _QuestionReply | None = None


@dataclass(frozen=True)
class _Known:
    """What stands before the model is asked: the file's text columns, what the person stated, and how often they were
    asked."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    asked: int

    @property
    def may_ask(self) -> tuple[str, ...]:
        """What a question may still be about."""
        if self.asked >= MOST_QUESTIONS:
            return ()
        open_columns = not self.columns and len(self.texts) > 1
        return (*(("labels",) if not self.labels else ()), *(("text",) if open_columns else ()))


class LLMAnalyst:
    """Has a language model read sentence and file; what the person stated stands, whatever it says."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def analyse(self, request: TaskRequest) -> TaskSpec:
        """Return the task.

        Raises TaskUnclearError where the person stated what cannot be, or the model has a question to them, which an
        answer in words settles; ReplyError and LLMUnreachableError.
        """
        known = _gather(request)
        reader = read_json(_TaskReply, lambda reply: "\n".join(_find_faults(reply, known)) or None)
        prompt = _write_prompt(request, known)
        reply = self._asker.ask(prompt, reader, _TaskReply.model_json_schema(), afresh=True).value
        if reply.question:
            raise _put(reply.question)
        stated = {"labels": known.labels, "text_columns": known.columns}
        return TaskSpec(
            sentence=request.sentence,
            kind=reply.kind or "single_label",
            labels=_join_labels(known.labels, reply),
            text_columns=known.columns or tuple(reply.text_columns),
            language=reply.language,
            domain=reply.domain,
            family=reply.family,
            guidelines=reply.guidelines,
            edge_cases=tuple(filter(None, reply.edge_cases)),
            inferred=(
                "kind",
                *(field for field, value in stated.items() if not value),
                *("language", "domain", "family", "guidelines", "edge_cases"),
            ),
        )


def _gather(request: TaskRequest) -> _Known:
    """Raises TaskUnclearError where the person stated what cannot be, and SettingsError for unusable labels."""
    texts = tuple(column.name for column in request.columns if column.is_text)
    if not texts:
        raise unclear_text("the file has no text column", request.columns)
    columns = choose_text_columns(request) if request.text_columns else _read_column_answer(request, texts)
    return _Known(texts, check_labels(request.labels), columns, len(request.answers))


def _read_column_answer(request: TaskRequest, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that the person named, and nothing else, when asked for them."""
    for answer in reversed(request.answers):
        named = (answer.answer,) if answer.answer in texts else tuple(dict.fromkeys(split_list(answer.answer)))
        if answer.asks == "text" and named and set(named) <= set(texts):
            return named
    return ()


def _write_prompt(request: TaskRequest, known: _Known) -> Prompt:
    return render_prompt(
        "analyst",
        "task",
        sentence=request.sentence,
        labels=known.labels,
        text_columns=known.columns,
        answers=[{"question": one.question, "answer": one.answer} for one in request.answers],
        columns=[
            {"name": column.name, "is_text": column.is_text, "type": column.type} for column in request.columns
        ],
        rows=show_rows(request),
        may_ask=known.may_ask,
        cannot_tell=CANNOT_TELL,
    )  # fmt: skip


def show_rows(request: TaskRequest) -> list[dict[str, str | None]]:
    """Return the rows as the model is shown them: long values cut, and of very many columns those without text left
    out."""
    names = [column.name for column in sorted(request.columns, key=lambda column: not column.is_text)][:SHOWN_COLUMNS]
    shown = [column.name for column in request.columns if column.name in names]
    length = min(SHOWN_LENGTH, SHOWN_OF_A_ROW // max(1, len(shown)))
    rows = [{name: row.get(name) for name in shown} for row in request.rows]
    return [
        {name: None if value is None else shorten(value, length) for name, value in row.items()} for row in rows
    ]  # fmt: skip


def _find_faults(reply: _TaskReply, known: _Known) -> Iterator[str]:
    """Yield what is wrong with a reply, in words for the model."""
    if reply.question:
        if reply.question.asks not in known.may_ask:
            about = " or ".join(known.may_ask)
            yield f"question: it may be about {about} only." if about else "question: it must be null; decide yourself."
        return
    if reply.kind is None:
        yield "kind: give single_label, multi_label or text_pair."
    if not _LANGUAGE.fullmatch(reply.language):
        yield f"language: {reply.language!r} is no ISO 639-1 code, such as en."
    yield from _find_label_faults(reply, known.labels)
    yield from _find_column_faults(reply, known)


def _find_label_faults(reply: _TaskReply, stated: Sequence[str]) -> Iterator[str]:
    names = [label.name.casefold() for label in reply.labels]
    if stated and sorted(names) != sorted(name.casefold() for name in stated):
        yield f"labels: describe each of the person's labels {list(stated)} once, and no other."
    elif len(names) < 2:
        yield "labels: give two or more."
    elif len(set(names)) < len(names):
        yield "labels: two of them have the same name."
    for place, label in enumerate(reply.labels):
        wanted = ("name", "definition", "example", *(("example_pair",) if reply.kind == "text_pair" else ()))
        yield from (f"labels.{place}.{field}: it is missing." for field in wanted if not getattr(label, field))
        if label.name.casefold() == CANNOT_TELL:
            yield f"labels.{place}.name: leave {CANNOT_TELL!r} out; reviewers say so of rows that allow no decision."


def _find_column_faults(reply: _TaskReply, known: _Known) -> Iterator[str]:
    names = known.columns or tuple(reply.text_columns)
    if known.columns and set(reply.text_columns) - set(known.columns):
        yield f"text_columns: the person gave them; repeat {list(known.columns)}."
    elif not names or not set(names) <= set(known.texts) or len(set(names)) < len(names):
        yield f"text_columns: name one or more of the text columns {list(known.texts)}, each once."
    if reply.kind == "text_pair" and len(names) != 2:
        yield f"text_columns: a text_pair has exactly two, and here are {list(names)}. Is it another kind?"


def _put(question: _QuestionReply) -> TaskUnclearError:
    """Return the error that puts the model's question to the person."""
    options = f" Possible answers: {' / '.join(question.options)}." if question.options else ""
    option = "--labels a,b" if question.asks == "labels" else "--text COLUMN"
    return TaskUnclearError(
        f"{question.question}{options} (What it changes: {question.changes})",
        next_step=f"Say it in the sentence, with {option}, or in a task.yaml of your own (--task).",
        asks=question.asks,
        in_words=True,
    )


def _join_labels(stated: Sequence[str], reply: _TaskReply) -> tuple[LabelSpec, ...]:
    """Return the stated labels, as stated, else the model's; with the model's definitions."""
    said = {label.name.casefold(): label for label in reply.labels}
    names = stated or [label.name for label in reply.labels]
    pair = reply.kind == "text_pair"
    return tuple(
        LabelSpec(
            name=name, definition=label.definition, example=label.example,
            example_pair=label.example_pair if pair else "",
        )
        for name, label in ((name, said[name.casefold()]) for name in names)
    )  # fmt: skip
