"""The analyst without a language model: labels and text column by rules."""

import difflib
import re
from collections.abc import Sequence

from agents.base import ColumnSample, TaskRequest
from agents.languages import NAMES
from agents.lexicon import find_family, normalise_name
from agents.rarer_families import LANGUAGE
from agents.sentence import read_labels
from agents.two_texts import are_a_pair, asks_about_pairs, find_pair
from records.errors import SettingsError, TaskUnclearError
from records.task import CANNOT_TELL, LONGEST_NAME, LabelSpec, TaskSpec

_TEXT_NAMES = (
    "text", "tweet", "sentence", "review", "comment", "content", "body", "message", "post", "document", "utterance",
    "headline", "title", "description", "question",
)  # fmt: skip
_CLEARLY_LONGEST = 2.0
"""How many times longer than every other column the text column must be, on average, to be told by its length."""

_LANGUAGE = re.compile(rf"\b({'|'.join(NAMES)})\b", re.IGNORECASE)
_COMMON_WORDS = frozenset({"polish", "danish", "mandarin", "basque"})
"""Languages' names that, in small letters, are other English words too: a polish, a pastry, a fruit, a garment."""
_BEFORE = re.compile(r"\b(?:in|into|from|speaks?|reads?|written)\W+$", re.IGNORECASE)
_BEFORE_TEXTS = re.compile(r"(?:^|\b(?:all|each|every|of|the|these|this|those|our|my|whether|if|for|and|or)\W+)$", re.I)
_LANGUAGE_AFTER = re.compile(r"\W(?:languages?|speaking|speakers?|translations?)\b", re.IGNORECASE)
_TEXTS_AFTER = re.compile(
    r"(?:\W\w+)?\W(?:texts?|tweets?|posts?|comments?|reviews?|messages?|mails?|emails?|sentences?|headlines?|articles?|"
    r"news|documents?|questions?|titles?)\b",
    re.IGNORECASE,
)


_SEVERAL = re.compile(
    r"\b(?:all|any|every|each)\b[\w\s]{0,40}\bthat appl(?:y|ies)\b|\bmulti[- ]?label\b|\bone or (?:more|several)\b"
    r"|\bany number of\b|\b(?:several|multiple) (?:labels|topics|tags|categories|classes|emotions)\b",
    re.IGNORECASE,
)
"""How a sentence says that a text may have more labels than one."""


class OfflineAnalyst:
    """Reads sentence and columns by rules; there is no language model in it."""

    def analyse(self, request: TaskRequest) -> TaskSpec:
        """Return the task. Raises TaskUnclearError where labels or text column cannot be told, naming the option."""
        request = _apply_answers(request)
        labels = check_labels(request.labels or read_labels(request.sentence))
        columns, is_pair = _choose_texts(request, labels)
        if not labels:
            raise TaskUnclearError(
                f"the labels cannot be told from the sentence {request.sentence!r}",
                next_step="Name them, at least two: --labels positive,negative. Or say them in the sentence: "
                "“label each review as positive or negative”.",
                asks="labels",
            )
        kind = "text_pair" if is_pair else "multi_label" if _SEVERAL.search(request.sentence) else "single_label"
        family = find_family(labels, request.sentence)
        spoken = _find_languages(request.sentence, labels)
        stated = {"labels": request.labels, "text_columns": request.text_columns, "language": spoken}
        return TaskSpec(
            sentence=request.sentence,
            kind=kind,
            labels=tuple(LabelSpec(name=label) for label in labels),
            text_columns=columns,
            language="mul" if len(spoken) > 1 or family is LANGUAGE else next(iter(spoken), "en"),
            family=family.name if family else "text classification",
            inferred=(
                *(("kind",) if kind != "single_label" else ()),
                *(field for field, value in stated.items() if not value),
                "family",
            ),
        )


def _find_languages(sentence: str, labels: Sequence[str]) -> set[str]:
    """Return the codes of the languages that the sentence names, but not in a label: "French" as the
    opening of a game of chess says nothing about the language in which that is described; nor does nail polish."""
    own = {word for label in labels for word in normalise_name(label).split()}
    named = {found[0].casefold() for found in _LANGUAGE.finditer(sentence) if _means_language(sentence, found)}
    return {NAMES[name] for name in named - own}


def _means_language(sentence: str, found: re.Match[str]) -> bool:
    """Return whether a language's name stands for the language: in a sentence that has capitals, one that is a common
    word too is written with one, or a word beside it speaks of languages, or of "each polish tweet"."""
    if found[0] not in _COMMON_WORDS or sentence.islower():
        return True
    before, after = sentence[: found.start()], sentence[found.end() :]
    of_texts = _BEFORE_TEXTS.search(before) and _TEXTS_AFTER.match(after)
    return bool(_BEFORE.search(before) or _LANGUAGE_AFTER.match(after) or of_texts)


def _apply_answers(request: TaskRequest) -> TaskRequest:
    """Take the person's last answers, values separated by commas, for the settings that they were asked for."""
    said = {answer.asks: tuple(split_list(answer.answer)) for answer in request.answers}
    return request.model_copy(
        update={
            "labels": said.get("labels", request.labels),
            "text_columns": said.get("text", request.text_columns),
        }
    )


def split_list(words: str) -> list[str]:
    """Return the values that a person separated by commas."""
    return [part.strip() for part in words.split(",") if part.strip()]


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return stated labels without surrounding white space; () for none. Raises SettingsError for unusable ones."""
    names = tuple(" ".join(label.split()) for label in labels)
    if not names:
        return ()
    folded = [name.casefold() for name in names]
    doubled = sorted({name for name in names if folded.count(name.casefold()) > 1})
    problem = "one of the labels is empty" if "" in names else None
    unusable = [name for name in names if name.casefold() == CANNOT_TELL or len(name) > LONGEST_NAME]
    if len(names) == 1:
        problem = f"one label ({names[0]}) leaves nothing to decide"
    elif doubled:
        problem = f"the labels must differ, and {', '.join(doubled)} is there more than once"
    elif unusable:
        problem = f"no label may be {CANNOT_TELL!r} or longer than {LONGEST_NAME} characters, got {unusable[0]!r}"
    if problem:
        raise SettingsError(problem, next_step="Give two or more different labels: --labels positive,negative")
    return names


def _choose_texts(request: TaskRequest, labels: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return the text column(s), and whether they hold the two texts of a pair. Raises TaskUnclearError."""
    if request.text_columns or not asks_about_pairs(labels, request.sentence):
        columns = choose_text_columns(request)
        return columns, bool(request.text_columns) and are_a_pair(columns, labels, request.sentence)
    pair = find_pair([column.name for column in request.columns if column.is_text])
    if pair is None:
        raise unclear_text(
            "the task is about two texts, and it cannot be told which columns hold them", request.columns
        )
    return pair, True


def choose_text_columns(request: TaskRequest) -> tuple[str, ...]:
    """Return the column(s) to label: the stated ones, else the only text column, else one with a well-known name,
    else the one whose texts are clearly the longest.

    Raises TaskUnclearError, naming `--text` and the columns, where none of this tells or a stated one does not fit.
    """
    texts = [column for column in request.columns if column.is_text]
    if request.text_columns:
        return _check_stated(request.text_columns, request.columns)
    if not texts:
        raise unclear_text("the file has no text column", request.columns)
    if len(texts) == 1:
        return (texts[0].name,)
    found = _find_well_known(texts) or _find_longest(texts)
    if found is None:
        raise unclear_text("it cannot be told which column holds the text", request.columns)
    return (found,)


def _check_stated(stated: Sequence[str], columns: Sequence[ColumnSample]) -> tuple[str, ...]:
    by_name = {column.name: column for column in columns}
    for name in stated:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise unclear_text(f"the file has no column {name!r}{hint}", columns)
        if not by_name[name].is_text:
            raise unclear_text(f"the column {name!r} is not text", columns)
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


def unclear_text(what: str, columns: Sequence[ColumnSample]) -> TaskUnclearError:
    """Return the error that asks for the text column, with the columns to choose from."""
    listed = ", ".join(f"{column.name} ({'text' if column.is_text else 'not text'})" for column in columns)
    return TaskUnclearError(
        what,
        next_step=f"Name the column with --text COLUMN, for pairs of texts both. The columns: {listed or 'none'}.",
        asks="text",
    )
