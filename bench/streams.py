"""The streams of real texts that voting is measured on, and the two ensembles of specialists for each.

The foreign ensemble is the case that counts: no specialist in it has seen the stream's corpus, or one that shares texts
with it. The home ensemble has the specialist of that corpus, so its stream is the held-out side alone
(`hub/starter/split.py`). Both are filled by one rule, not picked: the starter hub's specialists of the same family, in
the hub's order, three of them. The hub has only two toxicity specialists beside a stream's own; the third is then the
tweet sentiment, "negative" read as toxic, which is what a person with this hub could add.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from bench.hardness import rank_evenly, rate_by_model, rate_by_people
from bench.texts import SAMPLE
from hub.starter.recipes import RECIPES, Family
from hub.starter.split import normalise_text, side
from records.errors import DataError
from specialists.arrays import Floats, Integers

Home = Literal["foreign", "home"]

SENTIMENT = ("negative", "neutral", "positive")
POLARITY = ("negative", "positive")
TOXICITY = ("not_toxic", "toxic")

SPECIALISTS = 3
"""As many as the paper's."""

MOST_ROWS = 4500
"""Of a larger corpus so many rows are drawn, with a fixed seed: more than the 4,000 that a calibration error needs."""
_DRAW_SEED = 7

_THIRD_FOR_TOXICITY = "minilm-tweet-sentiment"

_MEANINGS = {
    "con": "negative",
    "pro": "positive",
    "hate_speech": "toxic",
    "offensive_language": "toxic",
    "offensive": "toxic",
    "neither": "not_toxic",
    "not_offensive": "not_toxic",
    "toxic_span": "toxic",
    "no_toxic_span": "not_toxic",
    "non-toxic": "not_toxic",
}
"""What corpora call the labels of the streams, where they have other words for them."""


@dataclass(frozen=True)
class StreamPlan:
    """A stream: its file of labelled texts, its labels, and the corpora that its texts come from or are shared with."""

    name: str
    file: str
    labels: tuple[str, ...]
    family: Family
    corpora: tuple[str, ...]

    def choose_specialists(self, kind: Home) -> tuple[str, ...]:
        """Return the names of an ensemble's recipes, in the starter hub's order, its own first where it has one."""
        own = [one.name for one in RECIPES if one.corpus in self.corpora] if kind == "home" else []
        others = [one.name for one in RECIPES if one.family == self.family and one.corpus not in self.corpora]
        spare = [_THIRD_FOR_TOXICITY] if self.family == "toxicity" else []
        return tuple([*own, *others, *spare][:SPECIALISTS])


STREAMS = (
    StreamPlan("tweets", "vader_tweets.parquet", SENTIMENT, "sentiment", ("vader_tweets",)),
    StreamPlan("films", "vader_movie.parquet", SENTIMENT, "sentiment", ("rt_polarity",)),
    StreamPlan("products", "vader_amazon.parquet", SENTIMENT, "sentiment", ("vader_amazon",)),
    StreamPlan("news", "vader_nyt.parquet", SENTIMENT, "sentiment", ("vader_nyt",)),
    StreamPlan("polarity", "rt_polarity.parquet", POLARITY, "sentiment", ("rt_polarity",)),
    StreamPlan("offence", "davidson_hate_offensive.parquet", TOXICITY, "toxicity", ("davidson",)),
    StreamPlan("comments", "toxic_spans_votes.parquet", TOXICITY, "toxicity", ("toxic_spans",)),
)
SAMPLES = (
    StreamPlan("reviews", "reviews.jsonl", POLARITY, "sentiment", ("vader_amazon", "rt_polarity")),
    StreamPlan("tweets_offensive", "tweets_offensive.jsonl", TOXICITY, "toxicity", ("davidson",)),
)
"""The shipped sample is of the held-out side, in either ensemble."""


@dataclass(frozen=True)
class Stream:
    """Rows in a fixed order: `texts`, `gold` (n_rows,) indices of `labels`, `hardness` (n_rows,): each row's rank among
    the stream's rows from 0, the easiest, to 1, ties shared. `specialists`: the recipes' names."""

    name: str
    kind: Home
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    gold: Integers
    hardness: Floats
    specialists: tuple[str, ...]


def read_streams(folder: Path | None, names: Iterable[str] = ()) -> list[Stream]:
    """Return every stream twice, once an ensemble, or the named ones: of the folder's corpora, or of the shipped
    sample.

    Raises DataError where the folder lacks a corpus, or a file is not what it should be.
    """
    plans = SAMPLES if folder is None else STREAMS
    wanted = set(names) or {plan.name for plan in plans}
    kinds: tuple[Home, ...] = ("foreign", "home")
    return [read_stream(plan, folder, kind) for plan in plans if plan.name in wanted for kind in kinds]


def read_stream(plan: StreamPlan, folder: Path | None, kind: Home) -> Stream:
    """Return one stream, each distinct text of one label once. Raises DataError as `read_streams` does."""
    path = (folder or SAMPLE.parent) / plan.file
    try:
        rows = _read_rows(path)
        labels = [_MEANINGS.get(str(row["label"]), str(row["label"])) for row in rows]
        marks = _read_marks(path.parent) if plan.name == "polarity" else {}
        rated = [rate_by_people(row, marks) for row in rows] if folder else rate_by_model(rows, labels)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(str(path), f"cannot be read: {error}", next_step="Give the folder of the corpora.") from error
    usable = [
        place
        for place, row in enumerate(rows)
        if labels[place] in plan.labels
        and rated[place] is not None
        and (kind == "foreign" or folder is None or side(row["text"]) == "held_out")
    ]
    drawn = np.sort(np.random.default_rng(_DRAW_SEED).permutation(len(usable))[:MOST_ROWS])
    kept = [usable[place] for place in drawn]
    return Stream(
        name=plan.name,
        kind=kind,
        labels=plan.labels,
        texts=tuple(rows[place]["text"] for place in kept),
        gold=np.array([plan.labels.index(labels[place]) for place in kept], dtype=np.int64),
        hardness=rank_evenly(np.array([rated[place] for place in kept], dtype=np.float64)),
        specialists=plan.choose_specialists(kind),
    )


def map_classes(specialist: str, labels: tuple[str, ...]) -> dict[int, str | None]:
    """Return what a specialist's classes are in a stream: class index → label, None for one that it has no label
    for."""
    recipe = next(one for one in RECIPES if one.name == specialist)
    meanings = [_MEANINGS.get(label, label) for label in recipe.labels]
    if "toxic" in labels and recipe.family == "sentiment":
        meanings = ["toxic" if meaning == "negative" else "not_toxic" for meaning in meanings]
    return {index: meaning if meaning in labels else None for index, meaning in enumerate(meanings)}


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """Return a file's labelled rows, each distinct text once and none with two labels."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        gold = path.with_name(f"{path.stem}_gold.jsonl")
        if gold.exists():
            lines = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
            known = {line["id"]: line["label"] for line in lines}
            rows = [row | {"label": known[row["id"]]} for row in rows]
    labels: dict[str, set[str]] = {}
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        text = normalise_text(row["text"])
        if row["label"] is not None and text:
            labels.setdefault(text, set()).add(row["label"])
            first.setdefault(text, row)
    return [row for text, row in first.items() if len(labels[text]) == 1]


def _read_marks(folder: Path) -> Mapping[str, float]:
    """Return text → the mean of its raters' marks, for the film sentences: two corpora label the same ones."""
    table = pq.read_table(folder / "vader_movie.parquet", columns=["text", "mean_groundtruth"]).to_pylist()
    return {normalise_text(row["text"]): float(row["mean_groundtruth"]) for row in table}
