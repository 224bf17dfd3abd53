"""A folder of tiny, really trained sentiment classifiers in Hub format, for tests of the whole loop.

They are made in seconds, from sentences of made-up reviews. Each knows other adjectives, so that they disagree.
"""

import itertools
import random
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

GOOD = ("good", "great", "lovely", "superb", "charming", "brilliant", "delightful", "excellent", "fine", "witty")
BAD = ("bad", "awful", "dull", "horrid", "clumsy", "dreadful", "tedious", "terrible", "poor", "witless")
THINGS = ("film", "book", "phone", "kettle", "plot", "screen", "battery", "cast", "sound", "ending")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [sentiment-analysis]
---
# {name}
A tiny sentiment classifier for tests. Labels: {labels}.
"""


LABELS = ("positive", "negative")


def label_of(text: str) -> str:
    """Return the label that a made-up sentence was made for."""
    return "positive" if set(re.findall(r"[a-z]+", text.lower())) & set(GOOD) else "negative"


def class_of(name: str) -> str:
    """Return the label that a class of these models stands for."""
    return "positive" if name.lower().startswith("pos") else "negative"


def make_sentences(rows: int, seed: int, known: range = range(10)) -> list[tuple[str, str]]:
    """Return made-up review sentences with their label, from the adjectives at the positions `known`."""
    rng = random.Random(seed)
    sentences = []
    for number in range(rows):
        label, words = ("positive", GOOD) if number % 2 else ("negative", BAD)
        adjectives = rng.sample([words[index] for index in known], 2)
        text = f"The {rng.choice(THINGS)} was {adjectives[0]} and the {rng.choice(THINGS)} {adjectives[1]} ({number})"
        sentences.append((text, label))
    rng.shuffle(sentences)
    return sentences


MODELS: dict[str, tuple[tuple[str, str], range]] = {
    "film-sentiment": (("NEG", "POS"), range(0, 8)),
    "product-sentiment": (("negative", "positive"), range(1, 9)),
    "review-sentiment": (("negative", "positive"), range(2, 10)),
}
"""Name → its classes' names, and the positions of the adjectives that it knows."""


def build_tiny_hub(folder: Path, names: Sequence[str] = tuple(MODELS)) -> Path:
    """Write the named repositories below `folder` and return it.

    With one thread: the models are so small that more would mostly wait for each other, and the weights are the same
    on every machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for seed, (name, (classes, known)) in enumerate(MODELS.items(), 1):
            if name in names:
                _write_model(folder / "tiny" / name, classes, known, seed)
    finally:
        torch.set_num_threads(threads)
    return folder


def _write_model(folder: Path, names: tuple[str, str], known: range, seed: int) -> None:
    sentences = [(text, int(label == "positive")) for text, label in make_sentences(256, seed, known)]
    write_model(folder, names, sentences, seed=seed)
    (folder / "README.md").write_text(CARD.format(name=folder.name, labels=", ".join(names)), encoding="utf-8")


def write_model(
    folder: Path,
    names: Sequence[str],
    sentences: Sequence[tuple[str | tuple[str, str], int]],
    *,
    seed: int,
    words: Sequence[str] = (),
    width: int = 32,
    rounds: int = 60,
) -> None:
    """Write a classifier that was taught `rounds` times which class each sentence, or pair of them, has, with `names`
    for its classes.

    It knows the words of the made-up reviews, and `words`.
    """
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(words)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(tokenizer), dim=width, hidden_dim=2 * width, n_layers=1, n_heads=2,
            max_position_embeddings=64,
            id2label=dict(enumerate(names)), label2id={name: index for index, name in enumerate(names)},
        )
    )  # fmt: skip
    inputs = tokenizer([text for text, _ in sentences], padding=True, return_tensors="pt")
    labels = torch.tensor([label for _, label in sentences])
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(rounds):
        loss = model(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer(more: Sequence[str]) -> PreTrainedTokenizerFast:
    words = ["the", "was", "and", "(", ")", *GOOD, *BAD, *THINGS, *more]
    vocabulary = {word: index for index, word in enumerate(itertools.chain(SPECIAL, words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
