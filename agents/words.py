"""The telling words of a task, and whether a name or a text has one of them in whatever form."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

import snowballstemmer

from agents.lexicon import normalise_name, split_negation
from agents.small_words import FEWEST, SMALL_WORDS
from records.candidate import Candidate
from records.task import TaskSpec

_MODEL_WORD = re.compile(
    r"\d+|v\d+\w*|\w*bert\w*|\w*electra|xlm\w*|\w*minilm\w*|t5|gpt\w*|llama\w*|qwen\w*|modern|distil\w*|base|small|large|"
    r"x?small|tiny|mini|medium|cased|uncased|fine|tuned|finetun\w*|models?|classif\w*|detect\w*|multi|multilingual|"
    r"awesome|output|results?|test|trainer|checkpoint|final|epochs?|text|data|dataset|english|the|and|for|with|not|my"
)
"""Words of repositories' names that say how a model is built, or nothing."""


def label_words(task: TaskSpec) -> tuple[str, ...]:
    """Return the telling words of the labels, without their negations; those that more labels have come first."""
    cores = (split_negation(normalise_name(label)) or normalise_name(label) for label in task.label_names)
    found = [word for core in cores for word in dict.fromkeys(content_words(core))]
    return tuple(sorted(dict.fromkeys(found), key=lambda word: -found.count(word)))


def content_words(text: str) -> Iterator[str]:
    """Yield the words of a text that may tell what it is about."""
    yield from (word for word in normalise_name(text).split() if len(word) >= FEWEST and word not in SMALL_WORDS)


def name_words(candidate: Candidate) -> tuple[str, ...]:
    """Return the words of a model's name and data sets that may tell what it is for."""
    named = (candidate.repo_id, *candidate.datasets)
    words = [word for name in named for word in normalise_name(name.rpartition("/")[2].casefold()).split()]
    return tuple(word for word in dict.fromkeys(words) if len(word) >= 3 and not _MODEL_WORD.fullmatch(word))


@cache
def stem(word: str) -> str:
    """Return a word without its ending (Snowball's English stemmer): "ironic" and "ironically" are "iron"."""
    found = snowballstemmer.stemmer("english").stemWord(word)
    return found if len(found) >= FEWEST else word


def are_alike(one: str, other: str) -> bool:
    """Return whether two words are forms of one: the shorter stem begins the other."""
    shorter, longer = sorted((stem(one), stem(other)), key=len)
    return longer == shorter or (len(shorter) >= FEWEST and longer.startswith(shorter))


def has_word(words: Iterable[str], word: str) -> bool:
    """Return whether one of the words begins as this one does, whatever its ending: "banking77" has "banks"."""
    return any(len(one) >= FEWEST and one.startswith(stem(word)) for one in words)
