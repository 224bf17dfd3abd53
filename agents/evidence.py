"""What speaks for a model's kind of judgement: its name and its data most, then its tags and classes, its card least.

A name, a list of tags or a card that speaks of many kinds says nothing about any of them.
"""

import re
from collections.abc import Iterator

from agents.families import Family
from agents.label_maps import is_opaque
from agents.lexicon import HINTS, family_of, find_domains, find_meaning, holds, normalise_name, speaks_of
from agents.rarer_families import FAMILIES
from agents.words import content_words, has_word, label_words
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec

Rated = tuple[float, str]
"""A value from 0 to 1, and what it rests on in words."""
NARROWED = 0.7
"""Of a model's fit, what is left where a label has no class of its own name or meaning, only a wider one."""
OWN_CLASSES = 0.85
"""How much classes that are the task's speak for a model's kind of judgement."""
_STUFFED = {"name": 3, "tags": 4, "card": 5}
"""From so many kinds on a text is taken to be stuffed with words for being found."""


def rate_kind(task: TaskSpec, candidate: Candidate, label_map: LabelMap) -> Rated:
    """Return how much speaks for the model judging what the task asks for."""
    family = family_of(task)
    by_words = _rate_words(task, candidate, label_map)
    if family is None:
        return by_words
    value, words = _rate_family(family, candidate, label_map)
    own_classes = _are_the_tasks(task, candidate)
    if own_classes and value < OWN_CLASSES:
        value, words = OWN_CLASSES, "its classes are the task's"
    other = _find_other(family, candidate) if value < 0.9 and not own_classes else None
    if other is not None:
        return min(value, 0.15), f"speaks of {other.name}"
    # What the task's labels are called tells kinds of one family apart: hate from insults.
    own = label_words(task)
    named = not own or any(speaks_of(_name_and_data(candidate), word) for word in own)
    return 0.8 * value + (0.2 if named and value else 0.0), words


def _are_the_tasks(task: TaskSpec, candidate: Candidate) -> bool:
    """Whether every label of the task has a class of its own name, and the names tell what is judged."""
    classes = {normalise_name(name) for name in candidate.id2label.values()}
    return bool(label_words(task)) and classes >= {normalise_name(name) for name in task.label_names}


def _rate_family(family: Family, candidate: Candidate, label_map: LabelMap) -> Rated:
    """Return the strongest of what speaks for the family."""
    return max(_find_evidence(family, candidate, label_map), default=(0.0, f"nothing speaks of {family.name}"))


def _find_evidence(family: Family, candidate: Candidate, label_map: LabelMap) -> Iterator[Rated]:
    name, data = _name_of(candidate), _data_of(candidate)
    tags, card = normalise_name(" ".join(candidate.tags)), normalise_name(candidate.card)
    if not _is_stuffed(name, "name") and speaks(name, family):
        yield (1.0 if _holds_dataset(data, family) else 0.95), f"name speaks of {family.name}"
    elif any(speaks_of(name, cue) for cue in family.cues & HINTS):
        yield 0.4, f"name hints at {family.name}"
    if _holds_dataset(f"{data} {name}", family):
        yield 0.9, f"taught with data for {family.name}"
    if not _is_stuffed(tags, "tags") and (speaks(tags, family) or speaks(data, family)):
        yield 0.75, f"tags speak of {family.name}"
    if len(label_map.covered()) >= 2:
        yield (0.25, "only its classes fit") if _are_plain(candidate) else (0.6, f"classes fit {family.name}")
    if not _is_stuffed(card, "card") and speaks(card, family):
        yield 0.35, f"only its card speaks of {family.name}"


def speaks(text: str, family: Family) -> bool:
    """Return whether a normalised text has a cue of the family that stands for nothing else."""
    return any(speaks_of(text, cue) for cue in family.cues - HINTS)


def _find_other(family: Family, candidate: Candidate) -> Family | None:
    """Return another kind that the model's name or data speak of, where nothing in them speaks of this one."""
    said = _name_and_data(candidate)
    if speaks(said, family) or _holds_dataset(said, family):
        return None
    return next(
        (one for one in FAMILIES if one is not family and (speaks(said, one) or _holds_dataset(said, one))), None
    )


def find_kinds(candidate: Candidate) -> list[Family]:
    """Return the kinds of judgement that the model's name or data speak of."""
    said = _name_and_data(candidate)
    return [one for one in FAMILIES if speaks(said, one) or _holds_dataset(said, one)]


def _is_stuffed(text: str, what: str) -> bool:
    return sum(speaks(text, family) for family in FAMILIES) >= _STUFFED[what]


def _holds_dataset(text: str, family: Family) -> bool:
    return any(holds(text, name) for name in family.datasets)


def _are_plain(candidate: Candidate) -> bool:
    """Whether the classes' names tell no kind: numbers, or words such as "good" and "yes" that any kind may use."""
    return all(is_opaque(name) for name in candidate.id2label.values())


def are_unknown(candidate: Candidate) -> bool:
    """Whether the classes' names tell nothing to these rules: in no kind of judgement do they mean anything."""
    names = [name for name in candidate.id2label.values() if not is_opaque(name)]
    return not any(find_meaning(name, family) for name in names for family in FAMILIES)


def _rate_words(task: TaskSpec, candidate: Candidate, label_map: LabelMap) -> Rated:
    """Where no family is known: how many of the task's own words the model's name, data, tags and card have."""
    weights = _weigh_words(task)
    named, tagged, told = (
        {word for word in weights if has_word(text.split(), word)}
        for text in (
            _name_and_data(candidate),
            normalise_name(" ".join(candidate.tags)),
            normalise_name(candidate.card),
        )
    )
    value = min(1.0, sum(weights[word] for word in named))
    value += 0.5 * min(0.5, sum(weights[word] for word in tagged - named))
    value = min(1.0, value + min(0.05 * len(told - tagged - named), 0.2))
    if len(label_map.covered()) >= 2 and not _are_plain(candidate):
        value = max(value, 0.6) if len(label_map.covered()) < len(task.labels) else max(value, 0.8)
    shown = ", ".join(sorted(named | tagged)) or ("card" if told else "")
    return value, f"has the task's words {shown}" if shown else "has none of the task's words"


def _weigh_words(task: TaskSpec) -> dict[str, float]:
    """Return how much each of the task's words tells: a label's most, what kind of texts they are least."""
    said = content_words(f"{task.sentence} {task.family} {task.domain}")
    weights = {word: 0.2 if find_domains(word) else 0.4 for word in said}
    return weights | dict.fromkeys(label_words(task), 0.6)


def _name_of(candidate: Candidate) -> str:
    """Return the name's words, also as they stand together: "CoLA" is "co la" and "cola"."""
    name = candidate.repo_id.rpartition("/")[2]
    parted, whole = normalise_name(name), normalise_name(name.casefold())
    return parted if parted == whole else f"{parted} {whole}"


def _data_of(candidate: Candidate) -> str:
    return normalise_name(" ".join(candidate.datasets))


def _name_and_data(candidate: Candidate) -> str:
    return f"{_name_of(candidate)} {_data_of(candidate)}"


def rate_labels(task: TaskSpec, candidate: Candidate, label_map: LabelMap, *, needs_map: bool) -> Rated:
    """Return how well the classes stand for the task's labels: all of them, by the same meaning, with few others.

    `needs_map`: whether classes without names are of use only where the card explains them.
    """
    if not candidate.read:
        return 0.6, "classes not read yet"
    covered, wanted = len(label_map.covered()), len(task.labels)
    if covered < 2:
        same = len(candidate.id2label) == wanted
        family = family_of(task)
        taught = family is not None and _holds_dataset(_name_and_data(candidate), family)
        plain = (0.55 if taught or not needs_map else 0.45) if same else 0.25
        unknown = 0.45 if same and are_unknown(candidate) else 0.2
        return plain if _are_plain(candidate) else unknown, f"labels {covered} of {wanted} ({label_map.reason})"
    unused = sum(label is None for label in label_map.classes.values()) / len(label_map.classes)
    share = covered / wanted
    if covered < wanted == len(candidate.id2label):  # what the others stand for, the audition finds
        share, unused = (covered + 0.6 * (wanted - covered)) / wanted, 0.0
    by_meaning = 1.0 if _is_by_meaning(task, candidate, label_map) else NARROWED
    value = share**1.5 * (1 - 0.25 * unused) * by_meaning
    told = f"labels {covered} of {wanted} ({label_map.reason})"
    if missing := _find_missing_absence(task, candidate, label_map):
        return 0.4 * value, f"{told}, and no class for {missing} alone: it may give several labels"
    return value, told


def _find_missing_absence(task: TaskSpec, candidate: Candidate, label_map: LabelMap) -> str | None:
    """Return the label that says that something is not there ("not toxic") where no class of the model says that: what
    rates insults, threats and obscenity each by itself has none."""
    family = family_of(task)
    if family is None:
        return None
    if len(candidate.id2label) == 2:
        return None
    absences = set(family.opposite.values()) - set(family.opposite)
    meant = {find_meaning(name, family) for name in candidate.id2label.values()}
    named = not _are_plain(candidate)
    return next((one for one in label_map.covered() if named and find_meaning(one, family) in absences - meant), None)


def _is_by_meaning(task: TaskSpec, candidate: Candidate, label_map: LabelMap) -> bool:
    """Whether each label has a class of its own name or meaning, not only a wider or a narrower one."""
    family = family_of(task)
    for label in label_map.covered():
        called = [candidate.id2label[index] for index, read in label_map.classes.items() if read == label]
        meant = find_meaning(label, family) if family else None
        if all(re.fullmatch(r"(label|class)? ?\d+", normalise_name(name)) for name in called):
            continue
        if not any(
            normalise_name(name) == normalise_name(label) or (family and meant and find_meaning(name, family) == meant)
            for name in called
        ):
            return False
    return True
