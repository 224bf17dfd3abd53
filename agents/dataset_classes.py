"""The classes of well-known public data sets, in the order in which they are numbered: a model that was taught with one
of them, and whose classes only carry numbers, mostly has that order."""

from agents.lexicon import holds, normalise_name
from records.candidate import Candidate

_CLASSES = {
    "ag news": "World, Sports, Business, Sci/Tech",
    "agnews": "World, Sports, Business, Sci/Tech",
    "bbc news": "tech, business, sport, entertainment, politics",
    "sst2": "negative, positive",
    "sst 2": "negative, positive",
    "imdb": "negative, positive",
    "rotten tomatoes": "negative, positive",
    "amazon polarity": "negative, positive",
    "yelp polarity": "negative, positive",
    "yelp review full": "1 star, 2 stars, 3 stars, 4 stars, 5 stars",
    "financial phrasebank": "negative, neutral, positive",
    "sms spam": "ham, spam",
    "enron spam": "ham, spam",
    "wiki toxic": "non-toxic, toxic",
    "hate speech offensive": "hate speech, offensive language, neither",
    "dair ai emotion": "sadness, joy, love, anger, fear, surprise",
    "hate speech18": "noHate, hate",
    "prompt injections": "legit, injection",
    "cola": "unacceptable, acceptable",
    "mrpc": "not equivalent, equivalent",
    "qqp": "not duplicate, duplicate",
    "trec": "ABBR, ENTY, DESC, HUM, LOC, NUM",
}
"""Data set, normalised → the names of its classes 0, 1, …"""


def find_dataset_classes(candidate: Candidate) -> tuple[str, dict[int, str]] | None:
    """Return the data set that a model says it was taught with and whose classes are as many as the model's, and what
    these stand for then; None where there is none, or where two of them disagree."""
    said = normalise_name(" ".join((candidate.repo_id.rpartition("/")[2], *candidate.datasets)))
    indices = sorted(candidate.id2label)
    found = {
        tuple(classes.split(", ")): name
        for name, classes in _CLASSES.items()
        if holds(said, name) and classes.count(",") + 1 == len(indices)
    }
    if len(found) != 1:
        return None
    classes, name = found.popitem()
    return name, dict(zip(indices, classes, strict=True))
