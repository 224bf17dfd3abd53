"""Whether a task is about pairs of texts, and which columns hold them, by rules."""

import re
from collections.abc import Iterator, Sequence

from agents.families import Family
from agents.lexicon import find_family, find_meaning, normalise_name, speaks_of

_TEXTS = (
    r"(?:\w+ )?(?:texts|sentences|questions|statements|headlines|titles|tweets|comments|passages|paragraphs|answers)"
)
_TWO = re.compile(
    rf"\bpairs?\b|\b(?:two|both) {_TEXTS}\b|\beach other\b|\bpremises?\b|\bhypothes[ie]s\b"
    r"|\bfirst\b.{1,80}\bsecond\b|\bsecond\b.{1,80}\bfirst\b|\bclaim\b.{1,80}\bevidence\b|\bevidence\b.{1,80}\bclaim\b",
    re.IGNORECASE | re.DOTALL,
)
_NAMED_TOGETHER = (("premise", "hypothesis"), ("evidence", "claim"), ("context", "claim"), ("text", "hypothesis"))
_FIRST_AND_SECOND = (("1", "2"), ("a", "b"), ("one", "two"), ("first", "second"))


def asks_about_pairs(labels: Sequence[str], sentence: str) -> bool:
    """Return whether labels and sentence ask how two texts of a row relate: they name a kind of judgement that is made
    about two texts, and the sentence speaks of two, or two of the labels are of that kind and something names it."""
    family = find_family(tuple(labels), sentence)
    if family is None or not family.pairs:
        return False
    return speaks_of_two(sentence) or _is_named(family, labels, sentence)


def _is_named(family: Family, labels: Sequence[str], sentence: str) -> bool:
    said = normalise_name(" ".join((sentence, *labels)))
    meant = sum(find_meaning(label, family) is not None for label in labels)
    return meant >= 2 and any(speaks_of(said, cue) for cue in family.cues)


def are_a_pair(columns: Sequence[str], labels: Sequence[str], sentence: str) -> bool:
    """Return whether the text columns that the person stated are the two texts of a pair, not parts of one text.

    Two columns are, unless labels and sentence name a kind of judgement that is made about one text, such as sentiment,
    and the sentence speaks of no two texts.
    """
    family = find_family(tuple(labels), sentence)
    return len(columns) == 2 and (family is None or family.pairs or speaks_of_two(sentence))


def speaks_of_two(sentence: str) -> bool:
    """Return whether a sentence says that each row has two texts."""
    return _TWO.search(sentence) is not None


def find_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """Return the text columns that hold the two texts, in the order in which models read them: those that are named
    together ("premise" and "hypothesis", "question1" and "question2"), else the only two; None where neither tells."""
    names = {re.sub(r"[\W_]", "", name).casefold(): name for name in columns}
    for first, second in _NAMED_TOGETHER:
        if first in names and second in names:
            return names[first], names[second]
    found = {(name, names[one]) for folded, name in names.items() for one in _name_second(folded) if one in names}
    if len(found) == 1:
        return found.pop()
    return (columns[0], columns[1]) if len(columns) == 2 else None


def _name_second(name: str) -> Iterator[str]:
    """Yield what the second column is called where the first has this name."""
    for first, second in _FIRST_AND_SECOND:
        if name.endswith(first):
            yield name.removesuffix(first) + second
        if name.startswith(first):
            yield second + name.removeprefix(first)
