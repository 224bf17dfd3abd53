"""Tiny classifiers of pairs of texts, really trained, and made-up pairs: two reviews of a film that both praise it, or
do not. Whoever reads only one of the two texts is right about three pairs in four at best.
"""

import random
import re
from pathlib import Path

import torch

from tests.tiny_hub import BAD, GOOD, write_model

LABELS = ("entailment", "not entailment")
SENTENCE = "Does the second review of a film follow from the first: entailment or not entailment?"
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [nli]
---
# {name}
A tiny classifier for tests: whether a second text follows from a first one. Labels: {labels}.
"""
MODELS: dict[str, tuple[tuple[str, str], range]] = {
    "film-nli": (("entailment", "not_entailment"), range(0, 8)),
    "review-nli": (("not_entailment", "entailment"), range(2, 10)),
}
"""Name → its classes' names, and the positions of the adjectives that it knows."""

Pair = tuple[str, str]


def judge_pair(first: str, second: str) -> str:
    """Return the label of a made-up pair, also of one that lacks a text."""
    return (
        LABELS[0] if all(set(re.findall("[a-z]+", text.lower())) & set(GOOD) for text in (first, second)) else LABELS[1]
    )


def read_class(name: str) -> str:
    """Return the label that a class of these models stands for."""
    return name.replace("_", " ")


def make_pairs(rows: int, seed: int, known: range = range(10)) -> list[Pair]:
    """Return made-up pairs, half of them of two praises, with the adjectives at the positions `known`."""
    rng = random.Random(seed)
    kinds = [((GOOD, GOOD), (GOOD, BAD), (GOOD, GOOD), (BAD, GOOD))[number % 4] for number in range(rows)]
    rng.shuffle(kinds)
    return [
        (f"The film was {first[rng.choice(known)]} ({number})", f"The film was {second[rng.choice(known)]} ({number})")
        for number, (first, second) in enumerate(kinds)
    ]


def build_pair_hub(folder: Path) -> Path:
    """Write the repositories below `folder` and return it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for seed, (name, (classes, known)) in enumerate(MODELS.items(), 1):
            taught = [
                (pair, classes.index(judge_pair(*pair).replace(" ", "_"))) for pair in make_pairs(144, seed, known)
            ]
            write_model(folder / "tiny" / name, classes, taught, seed=seed)
            card = CARD.format(name=name, labels=", ".join(classes))
            (folder / "tiny" / name / "README.md").write_text(card, encoding="utf-8")
    finally:
        torch.set_num_threads(threads)
    return folder
