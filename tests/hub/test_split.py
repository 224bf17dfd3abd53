"""The one split: no text may be on both sides, and the side of a text may never change."""

import json
from pathlib import Path

import pytest

from bench.make_data import SAMPLES
from hub.starter.recipes import RECIPES
from hub.starter.split import in_validation_slice, normalise_text, side


def test_normalising_keeps_letters_and_digits_only() -> None:
    assert normalise_text("  It's GREAT -- 10/10_would   buy! ") == "it s great 10 10 would buy"
    assert normalise_text("Über-gut \n") == "über gut"
    assert normalise_text("?!") == ""


def test_spelling_out_the_same_text_stays_on_its_side() -> None:
    for number in range(200):
        text = f"the story is told , and told again {number} ."
        assert side(text) == side(f"The story is told, and  told again {number}") == side(text.upper())


def test_the_sides_never_change() -> None:
    assert [side(text) for text in ("a good film", "a bad film", "I hate this phone.", "nice", "")] == [
        *("train", "train", "held_out", "held_out", "held_out"),
    ]


def test_half_is_held_out_and_a_tenth_of_the_rest_validates() -> None:
    texts = [f"text number {number}" for number in range(20_000)]
    train = [text for text in texts if side(text) == "train"]
    validation = [text for text in texts if in_validation_slice(text)]
    assert len(train) == pytest.approx(10_000, abs=300)
    assert len(validation) == pytest.approx(1_000, abs=120)
    assert set(validation) <= set(train)


@pytest.mark.parametrize(("name", "rows"), [("reviews.jsonl", 700), ("tweets_offensive.jsonl", 400)])
def test_every_shipped_sample_is_held_out(name: str, rows: int) -> None:
    texts = [json.loads(line)["text"] for line in _read_lines(SAMPLES / name)]
    assert len({normalise_text(text) for text in texts}) == rows
    assert {side(text) for text in texts} == {"held_out"}


def test_the_gold_labels_fit_the_sample() -> None:
    reviews = [json.loads(line) for line in _read_lines(SAMPLES / "reviews.jsonl")]
    gold = [json.loads(line) for line in _read_lines(SAMPLES / "reviews_gold.jsonl")]
    assert [row["id"] for row in gold] == [row["id"] for row in reviews]
    for domain in ("product", "film"):
        labels = [label["label"] for row, label in zip(reviews, gold, strict=True) if row["domain"] == domain]
        assert sorted(set(labels)) == ["negative", "positive"]
        assert labels.count("positive") == labels.count("negative") == 175


def test_no_two_specialists_of_a_family_share_a_corpus() -> None:
    for family, fewest in (("sentiment", 4), ("toxicity", 3)):
        corpora = [recipe.corpus for recipe in RECIPES if recipe.family == family]
        assert len(corpora) >= fewest
        assert len(set(corpora)) == len(corpora)
        architectures = {recipe.architecture for recipe in RECIPES if recipe.family == family}
        assert len(architectures) > 1


def _read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
