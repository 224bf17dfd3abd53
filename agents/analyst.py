"""The analyst: from the person's sentence and a look at their file to the task."""

import difflib
import re
from collections.abc import Sequence

from pydantic import BaseModel, Field

from agents.asking import Asker
from agents.base import ColumnSample, TaskRequest
from agents.lexicon import DOMAINS, FAMILIES, find_family, normalise_name
from agents.prompting import render_prompt, shorten
from agents.replies import read_json
from agents.sentence import read_labels
from records.errors import SettingsError, TaskUnclearError
from records.task import LabelSpec, TaskSpec

_TEXT_NAMES = (
    "text", "tweet", "sentence", "review", "comment", "content", "body", "message", "post", "document", "utterance",
    "headline", "title", "description", "question",
)  # fmt: skip
_CLEARLY_LONGEST = 2.0
"""How many times longer than every other column the text column must be, on average, to be told by its length."""

SHOWN_VALUES = 5
"""How many values of each column a language model is shown, each cut at 300 characters."""

_LANGUAGES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "dutch": "nl", "polish": "pl", "russian": "ru", "ukrainian": "uk", "turkish": "tr", "arabic": "ar",
    "hindi": "hi", "chinese": "zh", "japanese": "ja", "korean": "ko", "swedish": "sv", "danish": "da",
    "norwegian": "no", "finnish": "fi", "czech": "cs", "greek": "el", "hebrew": "he", "indonesian": "id",
    "vietnamese": "vi", "thai": "th", "persian": "fa", "romanian": "ro", "hungarian": "hu",
}  # fmt: skip
_LANGUAGE = re.compile(rf"\b({'|'.join(_LANGUAGES)})\b", re.IGNORECASE)


class OfflineAnalyst:
    """Reads sentence and columns by rules; there is no language model in it."""

    def analyse(self, request: TaskRequest) -> TaskSpec:
        """Return the task. Raises TaskUnclearError where labels or text column cannot be told, naming the option."""
        columns = choose_text_columns(request)
        labels = check_labels(request.labels) or read_labels(request.sentence)
        if not labels:
            raise TaskUnclearError(
                f"the labels cannot be told from the sentence {request.sentence!r}",
                next_step="Name them, at least two: --labels positive,negative. Or say them in the sentence: "
                "“label each review as positive or negative”.",
                asks="labels",
            )
        family = find_family(labels, request.sentence)
        spoken = _LANGUAGE.search(request.sentence)
        stated = {"labels": request.labels, "text_columns": request.text_columns, "language": spoken}
        return TaskSpec(
            sentence=request.sentence,
            labels=tuple(LabelSpec(name=label) for label in labels),
            text_columns=columns,
            language=_LANGUAGES[spoken[1].casefold()] if spoken else "en",
            family=family.name if family else "text classification",
            inferred=(*(field for field, value in stated.items() if not value), "family"),
        )

    def write_queries(self, task: TaskSpec) -> tuple[str, ...]:
        """Return the Hub searches for a task, the best first."""
        return queries_by_rule(task)


class _LabelReply(BaseModel):
    name: str = Field(min_length=1)
    definition: str = ""
    example: str = ""


class _TaskReply(BaseModel):
    labels: list[_LabelReply]
    text_columns: list[str]
    language: str = "en"
    family: str = ""
    guidelines: str = ""
    question: str | None = None


class _QueriesReply(BaseModel):
    queries: list[str] = Field(min_length=1)


class LLMAnalyst:
    """Has a language model read sentence and columns; what the person stated stands, whatever it says."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def analyse(self, request: TaskRequest) -> TaskSpec:
        """Return the task. Raises TaskUnclearError where the person stated what cannot be, or the model has a question
        to them; ReplyError and LLMUnreachableError."""
        labels = check_labels(request.labels)
        columns = choose_text_columns(request) if request.text_columns else ()
        if not any(column.is_text for column in request.columns):
            raise _unclear("the file has no text column", request.columns)
        prompt = render_prompt(
            "analyst",
            "task",
            sentence=request.sentence,
            labels=labels,
            text_columns=columns,
            columns=[_show_column(column) for column in request.columns],
        )
        reader = read_json(_TaskReply, lambda reply: _find_fault(reply, request, labels, columns))
        reply = self._asker.ask(prompt, reader, _TaskReply.model_json_schema()).value
        if reply.question and not (labels and columns):
            raise TaskUnclearError(
                f"the task is not clear yet: {reply.question}",
                next_step="Say it in the sentence, or with --labels a,b and --text COLUMN.",
                asks="text" if labels else "labels",
            )
        stated = {"labels": labels, "text_columns": columns}
        return TaskSpec(
            sentence=request.sentence,
            labels=_join_labels(labels, reply),
            text_columns=columns or tuple(dict.fromkeys(reply.text_columns)),
            language=reply.language,
            family=reply.family,
            guidelines=reply.guidelines,
            inferred=(*(field for field, value in stated.items() if not value), "language", "family", "guidelines"),
        )

    def write_queries(self, task: TaskSpec) -> tuple[str, ...]:
        """Return the Hub searches for a task, the model's first. Raises ReplyError and LLMUnreachableError."""
        prompt = render_prompt(
            "analyst",
            "queries",
            sentence=task.sentence,
            family=task.family,
            labels=task.label_names,
            language=task.language,
        )
        reply = self._asker.ask(prompt, read_json(_QueriesReply), _QueriesReply.model_json_schema()).value
        cleaned = (" ".join(query.split())[:60] for query in reply.queries[:6])
        return tuple(dict.fromkeys((*filter(None, cleaned), *queries_by_rule(task))))


def _show_column(column: ColumnSample) -> dict[str, object]:
    values = [shorten(value, 300) for value in column.values[:SHOWN_VALUES]]
    return {"column": column.name, "is_text": column.is_text, "values": values}


def _find_fault(reply: _TaskReply, request: TaskRequest, labels: Sequence[str], columns: Sequence[str]) -> str | None:
    """Return what is wrong with a task that the model wrote down, or None."""
    if reply.question:
        return None
    names = [label.name.strip().casefold() for label in reply.labels]
    texts = [column.name for column in request.columns if column.is_text]
    if not labels and (len(set(names)) < 2 or len(set(names)) < len(names)):
        return "labels: give two or more different labels, or put a question."
    if not columns and (not reply.text_columns or not set(reply.text_columns) <= set(texts)):
        return f"text_columns: name one or more of the text columns {texts}, or put a question."
    return None


def _join_labels(stated: Sequence[str], reply: _TaskReply) -> tuple[LabelSpec, ...]:
    """Return the stated labels, else the model's, with the model's definitions."""
    said = {label.name.strip().casefold(): label for label in reply.labels}
    names = stated or tuple(label.name.strip() for label in reply.labels)
    found = ((name, said.get(name.casefold()) or _LabelReply(name=name)) for name in names)
    return tuple(LabelSpec(name=name, definition=label.definition, example=label.example) for name, label in found)


def queries_by_rule(task: TaskSpec) -> tuple[str, ...]:
    """Return Hub searches from the task's family or labels, its language and its domain, the best first."""
    family = next((family for family in FAMILIES if family.name == task.family), None)
    family = family or find_family(task.label_names, task.sentence)
    labels = tuple(normalise_name(label) for label in task.label_names if not normalise_name(label).startswith("not "))
    base = family.queries if family else (" ".join(labels), *labels)
    domains = (DOMAINS[word] for word in normalise_name(task.sentence).split() if word in DOMAINS)
    special = (f"{domain} {base[0]}" for domain in domains)
    local = (f"{base[0]} {task.language}",) if task.language != "en" else ()
    return tuple(dict.fromkeys((*local, base[0], *special, *base)))


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return stated labels without surrounding white space; () for none. Raises SettingsError for unusable ones."""
    names = tuple(label.strip() for label in labels)
    if not names:
        return ()
    folded = [name.casefold() for name in names]
    doubled = sorted({name for name in names if folded.count(name.casefold()) > 1})
    problem = "one of the labels is empty" if "" in names else None
    if len(names) == 1:
        problem = f"one label ({names[0]}) leaves nothing to decide"
    elif doubled:
        problem = f"the labels must differ, and {', '.join(doubled)} is there more than once"
    if problem:
        raise SettingsError(problem, next_step="Give two or more different labels: --labels positive,negative")
    return names


def choose_text_columns(request: TaskRequest) -> tuple[str, ...]:
    """Return the column(s) to label: the stated ones, else the only text column, else one with a well-known name,
    else the one whose texts are clearly the longest.

    Raises TaskUnclearError, naming `--text` and the columns, where none of this tells or a stated one does not fit.
    """
    texts = [column for column in request.columns if column.is_text]
    if request.text_columns:
        return _check_stated(request.text_columns, request.columns)
    if not texts:
        raise _unclear("the file has no text column", request.columns)
    if len(texts) == 1:
        return (texts[0].name,)
    found = _find_well_known(texts) or _find_longest(texts)
    if found is None:
        raise _unclear("it cannot be told which column holds the text", request.columns)
    return (found,)


def _check_stated(stated: Sequence[str], columns: Sequence[ColumnSample]) -> tuple[str, ...]:
    by_name = {column.name: column for column in columns}
    for name in stated:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise _unclear(f"the file has no column {name!r}{hint}", columns)
        if not by_name[name].is_text:
            raise _unclear(f"the column {name!r} is not text", columns)
    return tuple(dict.fromkeys(stated))


def _find_well_known(texts: Sequence[ColumnSample]) -> str | None:
    exact = [column.name for column in texts]
    names = {normalise_name(name): name for name in sorted(exact, key=lambda name: name.casefold() in _TEXT_NAMES)}
    for known in _TEXT_NAMES:
        if known in names:
            return names[known]
    for known in _TEXT_NAMES:
        holding = [name for normal, name in names.items() if known in normal.split()]
        if len(holding) == 1:
            return holding[0]
    return None


def _find_longest(texts: Sequence[ColumnSample]) -> str | None:
    def mean_length(column: ColumnSample) -> float:
        return sum(map(len, column.values)) / max(len(column.values), 1)

    first, second = sorted(texts, key=mean_length, reverse=True)[:2]
    clearly = mean_length(first) > 0 and mean_length(first) >= _CLEARLY_LONGEST * mean_length(second)
    return first.name if clearly else None


def _unclear(what: str, columns: Sequence[ColumnSample]) -> TaskUnclearError:
    listed = ", ".join(f"{column.name} ({'text' if column.is_text else 'not text'})" for column in columns)
    return TaskUnclearError(
        what, next_step=f"Name the column with --text COLUMN. The columns: {listed or 'none'}.", asks="text"
    )
