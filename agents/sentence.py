"""Reads the labels of a task out of one English sentence, by rules. What the rules cannot tell stays unknown."""

import re
from collections.abc import Iterator

from agents.families import COMMON_FAMILIES, Family
from agents.lexicon import find_meaning, normalise_name

_QUOTED = re.compile(r"(?<!\w)(?:\"([^\"]{1,40})\"|“([^”]{1,40})”|‘([^’]{1,40})’|`([^`]{1,40})`|'([^']{1,40})')(?!\w)")
_TRIGGER = re.compile(
    r":|\((?!e\.g|i\.e|such|including|for example)|(?<!such )\bas\b(?! soon| well| in\b)|\binto\b|\bbetween\b"
    r"|\beither\b|\bone of\b|\b(?:labels?|classes|categories) (?=\w+,)",
    re.IGNORECASE,
)
_END = re.compile(
    r"[.?!;)(](?:\s|$)|\)|\b(?:based|according|depending|with|for|by|in|about|towards?|regarding|using|from|when"
    r"|so that|given|on|of|to)\b",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"\s*,\s*(?:or|and)\s+|\s*,\s*|\s+(?:or|and|vs\.?|versus|oder|und|ou|et|o|y)\s+|\s*\|\s*", re.IGNORECASE
)
_SLASHED = re.compile(r"\b[\w-]+(?:/[\w-]+)+")
_OPENING = re.compile(
    r"^(?:(?:being|either|one of|rather|clearly|a|an|the|labels?|classes|categories)\s+)+", re.IGNORECASE
)
_QUESTION = re.compile(
    r"\b(?:is|are)\s+(?:(?:each|every|this|these|the|all)\s+\w+\s+)?(?!.*\b(?:is|are)\b)", re.IGNORECASE
)
_THING = re.compile(
    r"(?<=\w)\s+(?:sentiments?|labels?|class(?:es)?|categor(?:y|ies)|tones?|opinions?|reviews?|tweets?|comments?|posts?"
    r"|texts?|messages?|sentences?|ones?|emotions?|stances?)$",
    re.IGNORECASE,
)
_OR_NOT = re.compile(
    r"\bor\s+(?:is\s+)?(?:not\b[ -]?(?:a |an )?([\w-]+)?|(?:no|non)\b[ -](?:a |an )?([\w-]+))", re.IGNORECASE
)
_WHETHER = re.compile(r"\b(?:whether|if)\b(?:\s+or\s+not\b)?(.*)", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:is|are|contains?|expresses?|has|have|shows?|counts? as|sounds?|includes?)\s+(?:(?:a|an|any|about)\s+)?",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w]+(?:[-'][\w]+)*|[,/|]")
_JOINTS = frozenset({",", "/", "|", "or", "and", "vs", "versus", "oder", "und", "ou", "et", "o", "y"})


def read_labels(sentence: str) -> tuple[str, ...]:
    """Return the labels that the sentence names, as it writes them; () where they cannot be told.

    "X or not" and "whether … X" give (X, "not X"); "detect X" does where X is a word whose contrary is usual.
    """
    for read in (_read_quoted, _read_or_not, _read_list, _read_known_run, _read_question, _read_whether, _read_single):
        labels = read(sentence)
        if len(labels) >= 2:
            return labels
    return ()


def _unique(labels: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple({label.casefold(): label for label in reversed(tuple(labels))}.values())[::-1]


def _read_quoted(sentence: str) -> tuple[str, ...]:
    labels = _unique(tuple("".join(groups).strip() for groups in _QUOTED.findall(sentence)))
    if len(labels) == 1 and re.search(r"\b(whether|if|or not)\b", sentence, re.IGNORECASE):
        return (labels[0], f"not {labels[0]}")
    return labels


def _read_or_not(sentence: str) -> tuple[str, ...]:
    """ "… X or not", "X or not X", "X or non-X"."""
    match = _OR_NOT.search(sentence)
    if match is None or re.search(r"\b(?:whether|if)\s+$", sentence[: match.start()], re.IGNORECASE):
        return ()
    before = _WORD.findall(sentence[: match.start()])
    subject = _last_phrase(before)
    denied = match[1] or match[2]
    if not subject or _SEPARATOR.search(sentence[match.end() :].split(".", maxsplit=1)[0]) or "," in before[-3:]:
        return ()
    if denied and normalise_name(denied) == normalise_name(subject):
        return (subject, re.sub(r"^or\s+(?:is\s+)?", "", match[0], flags=re.IGNORECASE))
    return (subject, f"not {subject}")


def _last_phrase(words: list[str]) -> str:
    """Return the last words that have a meaning together ("hate speech"), else the last word."""
    for count in (3, 2):
        phrase = " ".join(words[-count:])
        if len(words) >= count and any(find_meaning(phrase, family) for family in COMMON_FAMILIES):
            return phrase
    return words[-1] if words else ""


def _read_list(sentence: str) -> tuple[str, ...]:
    """The last list after a word that announces one: "as A, B or C", "into A and B", ": A, B", "(A/B)"."""
    lists = [_split_list(sentence[trigger.end() :]) for trigger in _TRIGGER.finditer(sentence)]
    if found := [labels for labels in lists if len(labels) >= 2]:
        return found[-1]
    for slashed in _SLASHED.findall(sentence):
        parts = tuple(slashed.split("/"))
        if any(sum(find_meaning(part, family) is not None for part in parts) >= 2 for family in COMMON_FAMILIES):
            return _unique(parts)
    return ()


def _read_question(sentence: str) -> tuple[str, ...]:
    """ "Is the sentence a question or a statement?", "whether it is a question or a statement"."""
    match = _QUESTION.search(sentence)
    return _split_list(sentence[match.end() :]) if match else ()


def _split_list(text: str) -> tuple[str, ...]:
    text = _END.split(text.lstrip(), maxsplit=1)[0]
    items = _SEPARATOR.split(text.strip(" .?!"))
    if len(items) == 1 and _SLASHED.fullmatch(items[0].split(" ")[0]):
        items = items[0].split(" ")[0].split("/")
    cleaned = [_THING.sub("", _OPENING.sub("", item.strip())).strip("\"'“”‘’` ") for item in items]
    if not all(re.fullmatch(r"[\w&/+'-]+(?: [\w&/+'-]+){0,3}", item) for item in cleaned):
        return ()
    return _unique(tuple(cleaned))


def _read_known_run(sentence: str) -> tuple[str, ...]:
    """The longest run of phrases that the lexicon knows, joined by "or", "and", a comma or a slash."""
    words = _WORD.findall(sentence)
    return max((_find_run(words, family) for family in COMMON_FAMILIES), key=len)


def _find_run(words: list[str], family: Family) -> tuple[str, ...]:
    best: tuple[str, ...] = ()
    run: list[str] = []
    place = 0
    while place < len(words):
        phrase = _phrase_at(words, place, family)
        if phrase is None:
            run, place = [], place + 1
            continue
        run.append(" ".join(phrase))
        place += len(phrase)
        best = max(best, _unique(tuple(run)), key=len)
        joints = 0
        while place + joints < len(words) and words[place + joints].casefold() in _JOINTS:
            joints += 1
        run, place = (run, place + joints) if joints else ([], place)
    return best


def _phrase_at(words: list[str], place: int, family: Family) -> list[str] | None:
    for count in (3, 2, 1):
        phrase = words[place : place + count]
        if len(phrase) == count and not _JOINTS & set(phrase) and find_meaning(" ".join(phrase), family):
            return phrase
    return None


def _read_whether(sentence: str) -> tuple[str, ...]:
    """ "whether each comment is toxic" → toxic, not toxic."""
    match = _WHETHER.search(sentence)
    verbs = list(_VERB.finditer(match[1])) if match else []
    if not match or not verbs:
        return ()
    subject = match[1][verbs[-1].end() :].strip(" .?!")
    return (subject, f"not {subject}") if re.fullmatch(r"[\w-]+(?: [\w-]+){0,2}", subject) else ()


def _read_single(sentence: str) -> tuple[str, ...]:
    """ "Detect hate speech" → hate speech, not hate speech: one known word whose contrary is usual."""
    words = [word for word in _WORD.findall(sentence) if word not in _JOINTS]
    for count in (3, 2, 1):
        for place in range(len(words) - count + 1):
            phrase = " ".join(words[place : place + count])
            if len(phrase) >= 4 and any(find_meaning(phrase, family) in family.opposite for family in COMMON_FAMILIES):
                return (phrase.casefold(), f"not {phrase.casefold()}")
    return ()
