"""Tiny classifiers for a task in which a text has any number of labels, and made-up sentences whose sets are known."""

import random
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from records.task import LabelSpec, TaskSpec
from tests.tiny_hub import THINGS, make_tokenizer

SENTENCE = "Which of joy, anger and fear does each review sentence express?"
WORDS: dict[str, tuple[str, ...]] = {
    "joy": ("happy", "glad", "cheerful", "merry", "jolly", "sunny"),
    "anger": ("angry", "furious", "cross", "mad", "livid", "irate"),
    "fear": ("afraid", "scared", "anxious", "worried", "timid", "nervous"),
}
LABELS = tuple(WORDS)
PLAIN = ("usual", "ordinary", "average", "normal", "typical", "common")
EVERY = (*PLAIN, *(word for words in WORDS.values() for word in words))

TASK = TaskSpec(
    sentence=SENTENCE,
    kind="multi_label",
    labels=tuple(LabelSpec(name=name, example=f"The film was {words[3]}") for name, words in WORDS.items()),
    text_columns=("text",),
    family="emotion recognition",
)

MODELS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "film-emotions": (LABELS, 0),
    "book-emotions": (("fear", "joy", "anger"), 1),
    "review-emotions": (("joy", "anger"), 2),
}
"""Name → its classes, and the place of the words that it does not know. The last says nothing of fear."""

CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [emotion]
---
# {name}
A tiny multi-label classifier of the emotions in review sentences: {labels}.
"""


def set_of(text: str) -> tuple[str, ...]:
    """Return the labels of a made-up sentence, in the task's order."""
    said = set(text.lower().split())
    return tuple(label for label, words in WORDS.items() if said & set(words))


def make_texts(rows: int, seed: int, without: int | None = None) -> list[str]:
    """Return made-up sentences of two parts, each plain or with a word of one label: sets of none to two labels.

    No label's word at the place `without` is in them.
    """
    rng = random.Random(seed)
    known = {name: [word for place, word in enumerate(words) if place != without] for name, words in WORDS.items()}

    def draw() -> str:
        return rng.choice(known[rng.choice(LABELS)]) if rng.random() < 0.6 else rng.choice(PLAIN)

    return [
        f"The {rng.choice(THINGS)} was {draw()} and the {rng.choice(THINGS)} {draw()} ({number})"
        for number in range(rows)
    ]


def build_sets_hub(folder: Path) -> Path:
    """Write the models below `folder` and return it; with one thread, so that they are the same everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for seed, (name, (classes, without)) in enumerate(MODELS.items(), 1):
            _write_model(folder / "tiny" / name, classes, make_texts(400, seed, without), seed)
    finally:
        torch.set_num_threads(threads)
    return folder


def _write_model(folder: Path, classes: tuple[str, ...], texts: list[str], seed: int) -> None:
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(EVERY)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(tokenizer), dim=32, hidden_dim=64, n_layers=1, n_heads=2, max_position_embeddings=64,
            problem_type="multi_label_classification",
            id2label=dict(enumerate(classes)), label2id={name: index for index, name in enumerate(classes)},
        )
    )  # fmt: skip
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    labels = torch.tensor([[float(name in set_of(text)) for name in classes] for text in texts])
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(150):
        loss = model(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(CARD.format(name=folder.name, labels=", ".join(classes)), encoding="utf-8")
