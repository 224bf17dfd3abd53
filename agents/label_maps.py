"""Reads a model's classes as task labels without a language model: by their names, and by what its card says."""

import re
from collections.abc import Iterable, Iterator, Sequence

from agents.dataset_classes import find_dataset_classes
from agents.families import Family
from agents.lexicon import family_of, find_meaning, normalise_name, split_negation
from agents.words import are_alike
from records.candidate import Candidate, LabelMap
from records.task import TaskSpec

_OPAQUE = re.compile(r"(?:(?:label|class) ?)?(\d+)|(?:(?:label|class) )?[a-d]")
_LINK = (
    r"(?:[ \t]|[:=|>→`\"'*(\[{,-]"
    r"|(?:means|is|are|stands for|represents|corresponds to|refers to|indicates|denotes|for)\b)"
)
_STRONG = re.compile(r"[:=>→|(]|mean|is|stands|represent|correspond|refer|indicat|denot|for")
_PHRASE = r"([A-Za-z][\w-]{0,30}(?: [A-Za-z][\w-]{0,30}){0,3})"
_YES, _NO = frozenset(("yes", "true")), frozenset(("no", "false"))
_SMALL = frozenset(("a", "an", "and", "by", "for", "in", "label", "my", "of", "on", "or", "other", "the", "to", "with"))
_WHOLE = re.compile(r"\s*(?:[|,;.)\]}`\"'*(\n]|$)")


def is_opaque(name: str) -> bool:
    """Return whether a class's name only tells it from others: a number or a letter, such as LABEL_0, class 1, B."""
    return _OPAQUE.fullmatch(normalise_name(name)) is not None


def propose_label_map(task: TaskSpec, candidate: Candidate) -> LabelMap:
    """Return how the model's classes are to be read, with the reason in words.

    A map that covers fewer than two labels is of no use: its `reason` then says why. Classes that only carry a number
    are looked up in the card; if one of them cannot be found there, no class of the model is read.
    """
    names = dict(candidate.id2label)
    if not names:
        return LabelMap(classes={}, reason="its config names no classes")
    family = family_of(task)
    opaque = [index for index, name in names.items() if is_opaque(name)]
    found: dict[int, str] = {}
    source = "the card explains"
    if opaque and not _are_stars(names, candidate):
        found = {i: name for i in opaque if (name := _find_in_card(i, candidate.card, task.label_names, family))}
        if len(found) < len(opaque) == len(names):
            found = _read_enumeration(sorted(names), candidate.card, task.label_names, family) or found
        if not found and len(opaque) == len(names) and (taught := find_dataset_classes(candidate)):
            source, found = f"in the data set {taught[0]}", taught[1]
        unknown = [names[index] for index in opaque if index not in found]
        if unknown or len({normalise_name(name) for name in found.values()}) < 2:
            listed = ", ".join(unknown or names.values())
            return LabelMap(classes=dict.fromkeys(names), reason=f"its card does not say what {listed} stands for")
    elif opaque:
        found = {index: f"{_number(names[index])} stars" for index in opaque}
    classes, remarks = read_classes(task.label_names, {**names, **found}, family)
    if found:
        remarks = (f"{', '.join(names[i] for i in found)} as {source}", *remarks)
    pairs = "; ".join(f"{found.get(i, names[i])} → {label or 'no label'}" for i, label in classes.items())
    return LabelMap(classes=classes, reason=" · ".join((pairs, *remarks)))


def guess_label_map(task: TaskSpec, candidate: Candidate, reason: str) -> LabelMap:
    """Return the model's classes in their order as the task's labels in theirs: nothing says so, and `reason` why not.

    Its own classes' probabilities do not depend on it, and by them the audition finds the true map.
    """
    labels = task.label_names
    classes: dict[int, str | None] = {
        index: labels[place % len(labels)] for place, index in enumerate(candidate.id2label)
    }
    return LabelMap(classes=classes, reason=f"a guess, as {reason}", guessed=True)


def read_names(task: TaskSpec, candidate: Candidate) -> dict[int, str | None]:
    """Return what the names of a model's classes say that these are, class index → task label; None where a name says
    nothing, as a bare number does."""
    names = {index: name for index, name in candidate.id2label.items() if not is_opaque(name)}
    return read_classes(task.label_names, names, family_of(task))[0] if names else {}


def read_card(task: TaskSpec, candidate: Candidate) -> dict[int, str | None]:
    """Return what a model's card says that its classes are, class index → task label; None where it says nothing."""
    family = family_of(task)
    said = {i: _find_in_card(i, candidate.card, task.label_names, family) for i in candidate.id2label}
    found = {index: name for index, name in said.items() if name is not None}
    return read_classes(task.label_names, found, family)[0] if found else {}


def read_classes(
    labels: Sequence[str], names: dict[int, str], family: Family | None
) -> tuple[dict[int, str | None], tuple[str, ...]]:
    """Return class index → task label or None, and remarks on readings that are not by the letter.

    In this order: the same name; the same meaning; a wider or a narrower meaning; what is left, under "not X"; one
    class that is left, under the one label that is.
    """
    exact = {normalise_name(label): label for label in labels}
    classes = {index: exact.get(normalise_name(name)) for index, name in names.items()}
    if family is None:
        return _read_last(labels, names, _read_rest(labels, names, _read_alike(labels, names, classes, None), None))
    meanings = {index: find_meaning(name, family) for index, name in names.items()}
    wanted: dict[str, str] = {}
    for label in labels:
        if (meaning := find_meaning(label, family)) is not None:
            wanted.setdefault(meaning, label)
    for index, meaning in meanings.items():
        if classes[index] is None and meaning is not None:
            classes[index] = wanted.get(meaning) or wanted.get(family.wider.get(meaning, ""))
    classes = _read_rest(labels, names, _read_alike(labels, names, classes, family), family)
    remarks: list[str] = []
    for index, meaning in meanings.items():
        narrower = [low for low, high in family.wider.items() if high == meaning and low in wanted]
        if classes[index] is None and narrower:
            classes[index] = wanted[narrower[0]]
            remarks.append(f"{names[index]} read as {wanted[narrower[0]]}, the nearest label")
    classes, more = _read_last(labels, names, classes)
    return classes, (*remarks, *more)


def _read_alike(
    labels: Sequence[str], names: dict[int, str], classes: dict[int, str | None], family: Family | None
) -> dict[int, str | None]:
    """Where a class is not read yet, the only label that has all its words, or whose words it has all: "request
    refund" is "refund", "non_irony" is "not ironic". Only of classes without a meaning in the family: words blur."""
    words = {label: _split_words(label) for label in labels}
    found = dict(classes)
    for index, name in names.items():
        if classes[index] is None and not (family and find_meaning(name, family)):
            denied, own = _split_words(name)
            alike = [
                label for label, (is_denied, said) in words.items()
                if is_denied == denied and own and said and (_holds_all(own, said) or _holds_all(said, own))
            ]  # fmt: skip
            found[index] = alike[0] if len(alike) == 1 else None
    return found


def _split_words(name: str) -> tuple[bool, frozenset[str]]:
    """Return whether a name denies something, and the telling words of what it says or denies."""
    core = split_negation(normalise_name(name))
    words = (core or normalise_name(name)).split()
    return core is not None, frozenset(word for word in words if word not in _SMALL and not word.isdigit())


def _holds_all(words: frozenset[str], wanted: frozenset[str]) -> bool:
    return all(any(are_alike(word, one) or _is_short_for(word, one) for one in words) for word in wanted)


def _is_short_for(word: str, other: str) -> bool:
    """Whether one is the beginning of the other, as "env" is of "environmental"."""
    short, long = sorted((word, other), key=len)
    return len(short) >= 3 and long.startswith(short)


def _read_rest(
    labels: Sequence[str], names: dict[int, str], classes: dict[int, str | None], family: Family | None
) -> dict[int, str | None]:
    """Where the task is "X or not X": if a class stands for X, the family's other classes stand for "not X"; if there
    are but two classes, "yes" stands for X."""
    if len(labels) != 2:
        return classes
    for label, other in (labels, labels[::-1]):
        if split_negation(normalise_name(other)) != normalise_name(label):
            continue
        if label in classes.values():
            return {
                index: read or (other if family and find_meaning(names[index], family) else None)
                for index, read in classes.items()
            }
        if len(names) == 2 and not any(classes.values()):
            said = {index: normalise_name(name) for index, name in names.items()}
            return {index: label if one in _YES else other if one in _NO else None for index, one in said.items()}
    return classes


def _read_last(
    labels: Sequence[str], names: dict[int, str], classes: dict[int, str | None]
) -> tuple[dict[int, str | None], tuple[str, ...]]:
    """Where there are as many classes as labels and all but one of each are read, the last class as the last label."""
    missing = [label for label in labels if label not in classes.values()]
    unread = [index for index, label in classes.items() if label is None]
    if len(missing) != 1 or len(unread) != 1 or len(classes) != len(labels):
        return classes, ()
    return {**classes, unread[0]: missing[0]}, (f"{names[unread[0]]} read as {missing[0]}, as no other is left",)


def _number(name: str) -> int:
    match = _OPAQUE.fullmatch(normalise_name(name))
    return int(match[1]) if match and match[1] else -1


def _are_stars(names: dict[int, str], candidate: Candidate) -> bool:
    """Whether the classes are the five ratings "1" to "5" and the card or the name speaks of stars or ratings."""
    told = re.search(r"\bstars?\b|\bratings?\b", f"{candidate.card} {candidate.repo_id}", re.IGNORECASE)
    return sorted(name.strip() for name in names.values()) == list("12345") and told is not None


def _find_in_card(index: int, card: str, labels: Sequence[str], family: Family | None) -> str | None:
    """Return what the card says class `index` is, or None where it is silent or contradicts itself.

    Only a task label or a name with a meaning in the task's family counts, but for the words right after `LABEL_n`,
    which name a class whatever they are.
    """
    known = {normalise_name(label) for label in labels}
    found: dict[str, str] = {}
    for phrase, explicit in _read_mentions(index, card):
        words = phrase.split()
        prefixes = [" ".join(words[:count]) for count in range(len(words), 0, -1)]
        meant = [name for name in prefixes if normalise_name(name) in known or (family and find_meaning(name, family))]
        if not meant and explicit:
            meant = [phrase]
        if meant:
            key = (family and find_meaning(meant[0], family)) or normalise_name(meant[0])
            found.setdefault(key, meant[0])
    return next(iter(found.values())) if len(found) == 1 else None


def _read_enumeration(
    indices: Sequence[int], card: str, labels: Sequence[str], family: Family | None
) -> dict[int, str]:
    """Return what the card lists the classes as, one after the other: "0 ham, 1 spam" or "human 0, ai 1"; {} where no
    list has all of them, each with a name that the task knows."""
    known = {normalise_name(label) for label in labels}
    gap = r"[`\"'*]{0,3}[ :=]{1,3}[`\"'*]{0,3}"
    after = r"\s*[,;/]\s*(?:and )?".join(rf"\b(?:label[_ ]?)?{index}{gap}{_PHRASE}" for index in indices)
    before = r"\s*[,;/]\s*(?:and )?".join(rf"{_PHRASE}{gap}{index}\b" for index in indices)
    for pattern in (after, before):
        for match in re.finditer(pattern, card, re.IGNORECASE):
            said = match.groups()
            if all(normalise_name(one) in known or (family and find_meaning(one, family)) for one in said):
                return dict(zip(indices, said, strict=True))
    return {}


def _read_mentions(index: int, card: str) -> Iterator[tuple[str, bool]]:
    """Yield the words that follow class `index` in the card, and whether they alone follow `LABEL_n`."""
    subjects: Iterable[tuple[str, bool]] = (
        (rf"\blabel[_ ]?{index}\b", True),
        (rf"(?<![\w.]){index}(?![\w.]|, ?\d)", False),
    )
    for subject, explicit in subjects:
        pattern = re.compile(rf"{subject}({_LINK}{{1,8}}){_PHRASE}", re.IGNORECASE)
        for match in pattern.finditer(card):
            if _STRONG.search(match[1]):
                yield match[2], explicit and _WHOLE.match(card, match.end()) is not None
    for match in re.finditer(
        rf"{_PHRASE}[`\"'*]*(?::|=| ?->| ?→| ?=>) ?[`\"'*]*label[_ ]?{index}\b", card, re.IGNORECASE
    ):
        yield match[1], False
