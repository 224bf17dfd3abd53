"""What a model's card says against it: how poorly it did in its own maker's test, and what it is not for.

Praise counts for nothing, as whoever wants to be chosen can write it; what a maker admits is believed.
"""

import re
from collections.abc import Iterator

from agents.label_maps import read_card, read_names
from agents.lexicon import find_domains, find_family, find_meaning, normalise_name
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec

_MODEL_INDEX = re.compile(r"type: accuracy\s+value: ([\d.]+)")
_ACCURACY = re.compile(r"\baccuracy\b[\s:=|*]{1,6}(\d{0,3}[.,]\d+|\d{2,3}) ?(%?)", re.IGNORECASE)
_F1 = re.compile(r"(?:type: f1\s+value: |^- F1: )([\d.]+)", re.MULTILINE)
_NONE, _POOR = 0.2, 0.5
"""The shares of the way from chance to perfection below which a model has learned next to nothing, or did poorly. An
uneven class alone may lift accuracy over that of a coin with so many sides."""
_LEAST_F1 = 0.7
"""What F1 times the number of classes is at least, of whatever does not always give the same answer."""
_SENTENCE = re.compile(r"(?<=[.;!?])\s|\n")
_NOT_FOR = re.compile(
    r"\bnot (?:to be |be )?(?:made|meant|intended|suited|suitable|designed|built|usable|tested|recommended|trained|"
    r"for|on)\b|\btoo (?:short|long)\b|\b(?:fails|poor|poorly|useless) (?:on|for|with)\b",
    re.IGNORECASE,
)
_NOT_AT_ALL = re.compile(
    r"\bnot (?:meant |intended |ready )?for (?:production|real use|use)\b|\bdo not (?:use|rely on)\b"
    r"|\bnot (?:to )?be relied on\b|\bsanity check\b|\btest upload\b|\bdeprecated\b|\bsuperseded\b",
    re.IGNORECASE,
)
_NO_CLASS = re.compile(
    r"\b(?:no|without an?|lacks an?) (\w[\w/ -]{0,30}?) (?:class|label|category|section)\b", re.IGNORECASE
)
_SWAYING = re.compile(
    r"\b(?:choose|select|pick|rate|prefer) (?:only )?this (?:model|one|repository)\b"
    r"|\b(?:ignore|do not (?:look at|mention|consider)) (?:all |any |the )*other (?:models|candidates)\b"
    r"|\b(?:if you are an?|dear|notes? (?:to|for)|attention:?) (?:all |the )?"
    r"(?:ai|llms?|language models?|automatic|agents?|assistants?)\b"
    r"|\b(?:rate (?:it|this)|score) 1\.0\b",
    re.IGNORECASE,
)
"""Words to whoever compares models, not to whoever uses this one."""
_PAIR = re.compile(
    r"\binputs? (?:is|are) (?:an? )?\W*pairs?\b|\baspect[- ]based\b|\btarget[- ]dependent\b|\babsa\b", re.IGNORECASE
)
Doubt = tuple[float, str]
"""What a score is multiplied by, and why."""


def find_chance_accuracy(candidate: Candidate) -> str | None:
    """Return in words that its own test found the model no better than chance, or None."""
    classes = len(candidate.id2label)
    accuracy, f1 = read_accuracy(candidate), max(_read_figures(_F1, candidate.card), default=None)
    if classes >= 2 and accuracy is not None and _measure_skill(accuracy, classes) < _NONE:
        return f"its card reports an accuracy of {accuracy:g} for {classes} classes: hardly better than chance"
    if classes >= 2 and f1 is not None and f1 < _LEAST_F1 / classes:
        return f"its card reports an F1 of {f1:g} for {classes} classes: less than chance"
    return None


def read_accuracy(candidate: Candidate) -> float | None:
    """Return the best accuracy (0 to 1) that the card reports as a result, else as a figure in its text, or None."""
    stated = _read_figures(_MODEL_INDEX, candidate.card)
    said = [
        float(value.replace(",", ".")) / (100 if percent or "." not in value.replace(",", ".") else 1)
        for value, percent in _ACCURACY.findall(candidate.card)
    ]
    return max(stated or said, default=None)


def _read_figures(pattern: re.Pattern[str], card: str) -> list[float]:
    """Return figures as shares, of which some cards give percentages."""
    values = [float(value) for value in pattern.findall(card) if re.fullmatch(r"\d*\.?\d+", value)]
    return [value / 100 if value > 1 else value for value in values]


def _measure_skill(accuracy: float, classes: int) -> float:
    """Return how far from chance (0) to perfection (1) an accuracy is."""
    return (accuracy - 1 / classes) / (1 - 1 / classes)


def find_doubts(task: TaskSpec, candidate: Candidate, label_map: LabelMap) -> Iterator[Doubt]:
    """Yield what the card says against the model for this task."""
    accuracy, classes = read_accuracy(candidate), len(candidate.id2label)
    if accuracy is not None and classes >= 2 and _measure_skill(accuracy, classes) < _POOR:
        yield 0.75, f"its card reports an accuracy of only {accuracy:g} for {classes} classes"
    named, told = read_names(task, candidate), read_card(task, candidate)
    if any(named.get(index) and label and named[index] != label for index, label in told.items()):
        yield 0.9, "its card and its config name the classes differently"
    if task.kind != "text_pair" and _PAIR.search(f"{candidate.card} {normalise_name(candidate.repo_id)}"):
        yield 0.6, "it judges a text together with a second one"
    if _SWAYING.search(candidate.card):
        yield 0.75, "its card gives orders to whoever compares models"
    wanted = find_domains(normalise_name(f"{task.sentence} {task.domain}"))
    for sentence in _SENTENCE.split(candidate.card):
        denied = _NOT_FOR.search(sentence)
        unfit = wanted & find_domains(normalise_name(sentence[denied.start() :])) if denied else None
        if unfit:
            yield 0.6, f"its card says that it is not for {', '.join(sorted(unfit))} texts"
        if _NOT_AT_ALL.search(sentence):
            yield 0.75, "its card says not to rely on it"
        if (lacking := _NO_CLASS.search(sentence)) and (label := _find_covered(task, label_map, lacking[1])):
            yield 0.6, f"its card says that it has no class for {label}"


def _find_covered(task: TaskSpec, label_map: LabelMap, words: str) -> str | None:
    """Return the label that a class was read as and that the words name."""
    family = find_family(task.label_names, task.sentence)
    said = [normalise_name(word) for word in re.split(r"[/ ,]", words) if word]
    meant = {find_meaning(word, family) for word in said} - {None} if family else set[str | None]()
    return next(
        (
            label
            for label in sorted(label_map.covered())
            if normalise_name(label) in said or (family and find_meaning(label, family) in meant)
        ),
        None,
    )
