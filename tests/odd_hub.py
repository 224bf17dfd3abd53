"""Tiny classifiers that are not what they say: known in every row, so that an audition of them has one right outcome.

Every adjective of a made-up review has a label. A model is taught what each adjective means, right or wrong, and its
classes get names, right or wrong.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from hub.server import HubServer
from records.candidate import ModelsLock
from records.folder import RunFolder
from tests.conftest import Cli
from tests.tiny_hub import BAD, GOOD, THINGS, write_model

PLAIN = ("usual", "ordinary", "average", "normal", "typical", "common", "regular", "standard", "medium", "everyday")
WORDS = {"positive": GOOD, "negative": BAD, "neutral": PLAIN}
TWO, THREE = ("positive", "negative"), ("positive", "negative", "neutral")
SENTENCES = {
    TWO: "Label each review sentence as positive or negative",
    THREE: "Label each review sentence as positive, negative or neutral",
}
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [sentiment-analysis]
---
# {name}
A tiny classifier of the sentiment of review sentences. {says}
"""


@dataclass(frozen=True)
class Odd:
    """A model: what its configuration calls its classes, what they are (None: no label of the task), what its card
    says, and by its place the adjective of each label that it takes for another label's. `rounds` of teaching: 0 leaves
    it as random as it began."""

    names: tuple[str, ...]
    truth: tuple[str | None, ...]
    says: str = ""
    mistaken: int | None = None
    width: int = 32
    rounds: int = 30

    @property
    def label_map(self) -> dict[int, str | None]:
        return dict(enumerate(self.truth))


def write_odd_hub(folder: Path, models: Mapping[str, Odd]) -> Path:
    """Write the repositories `owner/name` below `folder` and return it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for seed, (name, model) in enumerate(models.items(), 1):
            sentences = [(text, _teach(model, text, label)) for text, label in make_rows(model.truth, 12, seed)]
            write_model(
                folder / name, model.names, sentences, seed=seed, words=PLAIN, width=model.width, rounds=model.rounds
            )
            card = CARD.format(name=name.split("/")[1], says=model.says)
            (folder / name / "README.md").write_text(card, encoding="utf-8")
    finally:
        torch.set_num_threads(threads)
    return folder


def _teach(model: Odd, text: str, label: str) -> int:
    taught = [one for one in model.truth if one is not None]
    if model.mistaken is not None and WORDS[label][model.mistaken] in text.split():
        label = taught[(taught.index(label) + 1) % len(taught)]
    return model.truth.index(label)


def make_rows(labels: Sequence[str | None], times: int, seed: int) -> list[tuple[str, str]]:
    """Return sentences with their label: every adjective of every label so many times."""
    rng = random.Random(seed)
    words = [(word, label) for label in labels if label is not None for word in WORDS[label]] * times
    rows = [
        (f"The {rng.choice(THINGS)} was {word} and the {rng.choice(THINGS)} {word} ({number})", label)
        for number, (word, label) in enumerate(words)
    ]
    rng.shuffle(rows)
    return rows


def label_odd(text: str) -> str:
    """Return the label of a made-up sentence."""
    return next(label for label, words in WORDS.items() if set(words) & set(text.lower().split()))


@dataclass(frozen=True)
class Auditioned:
    """A finished run on an odd hub."""

    folder: RunFolder
    printed: str

    @property
    def lock(self) -> ModelsLock:
        return ModelsLock.model_validate_json(self.folder.lock.read_bytes())

    @property
    def auditions(self) -> dict:
        """Repository → its audition."""
        told = json.loads((self.folder.audition / "candidates.json").read_text())
        return {name.replace("--", "/", 1): one for name, one in told.items()}

    @property
    def maps(self) -> dict[str, dict[int, str | None]]:
        """Repository → how the lock reads its classes."""
        return {one.repo_id: one.label_map.classes for one in self.lock.specialists}

    @property
    def dropped(self) -> dict[str, str]:
        """Repository → why it is not in the ensemble."""
        events = [json.loads(line) for line in self.folder.events.read_text().splitlines()]
        dropped = [one for one in events if one["type"] == "candidate_dropped"]
        return {one["model"].replace("--", "/", 1): one["reason"] for one in dropped}


def write_rows(folder: Path, labels: Sequence[str], times: int, *, gold: float = 1.0) -> tuple[Path, Path]:
    """Return a file of rows (id, text), and one with the labels (id, label) of the first part of them."""
    rows = make_rows(labels, times, seed=99)
    table = pd.DataFrame(
        {"id": [f"r{n}" for n in range(len(rows))], "text": [r[0] for r in rows], "label": [r[1] for r in rows]}
    )
    table[["id", "text"]].to_csv(folder / "rows.csv", index=False)
    table[["id", "label"]].head(round(gold * len(rows))).to_csv(folder / "gold.csv", index=False)
    return folder / "rows.csv", folder / "gold.csv"


def run_odd(
    cli: Cli, hub: Path | str, labels: tuple[str, ...], data: Path, out: Path, *options: str | Path, **environment: str
) -> Auditioned:
    """Return a run that ended well, on a Hub over a folder or at a URL."""
    arguments = ("--data", data, "--sandbox", "process", "--no-learning", "--out", out, *options)
    if isinstance(hub, str):
        done = cli("run", SENTENCES[labels], "--hub", hub, *arguments, **environment)
    else:
        with HubServer(hub) as server:
            done = cli("run", SENTENCES[labels], "--hub", server.url, *arguments, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return Auditioned(RunFolder(out), done.stdout + done.stderr)
