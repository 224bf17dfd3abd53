"""Writes the small licensed samples in `bench/data/`: `python -m bench.make_data --data DIR`.

DIR holds the corpora as parquet files. Every text is of the held-out side of the split: no specialist of the starter
hub was trained on one. The same corpora give the same files.
"""

import argparse
import json
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hub.starter.corpora import CORPORA, Row, load_rows
from hub.starter.split import side

SAMPLES = Path(__file__).parent / "data"
_SEED = 7
_REVIEWS_OF_EACH = 175
_TWEETS_OF_EACH = 200
_FEWEST_WORDS = 3
_OFFENSIVE = {"hate_speech": "offensive", "offensive_language": "offensive", "neither": "not_offensive"}


def main() -> None:
    """Write the samples and their README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora's parquet files")
    data = parser.parse_args().data
    SAMPLES.mkdir(exist_ok=True)
    write_reviews(data)
    write_tweets(data)
    (SAMPLES / "README.md").write_text(_describe_samples(), encoding="utf-8")


def write_reviews(data: Path) -> None:
    """Write 700 sentences, as many of each domain and label, and their labels in a file of their own."""
    chosen = [
        (domain, row)
        for domain, corpus in (("product", "vader_amazon"), ("film", "rt_polarity"))
        for label in ("positive", "negative")
        for row in _draw(_list_held_out(corpus, data), [label], _REVIEWS_OF_EACH)
    ]
    _shuffler().shuffle(chosen)
    named = [(f"review-{number:03d}", domain, row) for number, (domain, row) in enumerate(chosen, start=1)]
    _write_lines("reviews.jsonl", ({"id": name, "text": row.text, "domain": domain} for name, domain, row in named))
    _write_lines("reviews_gold.jsonl", ({"id": name, "label": row.label} for name, _, row in named))


def write_tweets(data: Path) -> None:
    """Write 400 tweets with their labels, half of them offensive. The names of people in them are masked."""
    masked = [Row(row.id, re.sub(r"@\w+", "@user", row.text), row.label) for row in _list_held_out("davidson", data)]
    # A masked text is another text: it must be on the held-out side too.
    rows = [row for row in masked if side(row.text) == "held_out"]
    chosen = _draw(rows, ["hate_speech", "offensive_language"], _TWEETS_OF_EACH)
    chosen += _draw(rows, ["neither"], _TWEETS_OF_EACH)
    _shuffler().shuffle(chosen)
    _write_lines(
        "tweets_offensive.jsonl",
        (
            {"id": f"tweet-{number:03d}", "text": row.text, "label": _OFFENSIVE[row.label]}
            for number, row in enumerate(chosen, start=1)
        ),
    )


def _list_held_out(corpus: str, data: Path) -> list[Row]:
    rows = load_rows(CORPORA[corpus], data, "held_out")
    return [row for row in rows if len(row.text.split()) >= _FEWEST_WORDS]


def _draw(rows: Sequence[Row], labels: Sequence[str], count: int) -> list[Row]:
    return _shuffler().sample([row for row in rows if row.label in labels], count)


def _shuffler() -> random.Random:
    return random.Random(_SEED)  # noqa: S311 - a sample is no secret


def _write_lines(name: str, records: Iterable[dict[str, str]]) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (SAMPLES / name).write_text(lines, encoding="utf-8")


def _describe_samples() -> str:
    sources = "\n".join(
        f"| {files} | *{CORPORA[name].title}*, from {CORPORA[name].source} | {CORPORA[name].licence} "
        f"| {CORPORA[name].attribution} | {CORPORA[name].label_note} |"
        for files, name in (
            ("`reviews.jsonl`, `reviews_gold.jsonl`: domain `product`", "vader_amazon"),
            ("`reviews.jsonl`, `reviews_gold.jsonl`: domain `film`", "rt_polarity"),
            ("`tweets_offensive.jsonl`", "davidson"),
        )
    )
    return f"""# Samples of real texts

Small samples for the demo and the benchmarks, made by `python -m bench.make_data --data DIR`. All texts are of the
held-out side of the split in `hub/starter/split.py`: no specialist of the starter hub was trained on any of them.

- `reviews.jsonl`: {4 * _REVIEWS_OF_EACH} review sentences (`id`, `text`, `domain`), half of products and half of films,
  half positive and half negative; their labels are in `reviews_gold.jsonl` (`id`, `label`). Neutral sentences are left
  out.
- `tweets_offensive.jsonl`: {2 * _TWEETS_OF_EACH} tweets (`id`, `text`, `label`), half `offensive` and half
  `not_offensive`. **This label is a cut made here**: hate speech and offensive language together are `offensive`,
  neither is `not_offensive`. Names of accounts are masked as `@user`. The tweets hold slurs, as published.

| file | source | licence | attribution | labels |
|---|---|---|---|---|
{sources}
"""


if __name__ == "__main__":
    main()
