"""Gold rows that are declared a random sample: half of them certify, and nothing else in a run knows their labels."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from graphs.context import RunContext
from graphs.gold import book_gold, read_held_gold
from graphs.reviewing import GOLD_STEP
from records.errors import DataError
from specialists.bounds import bound_total
from specialists.certificate import share_error
from tests.audited_run import Expert, answer, audited_run, make_texts

GOLD = range(0, 400, 4)


def write_gold(path: Path, texts: Sequence[str], label: Callable[[str], str] = answer) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *((text, label(text)) for text in texts)])
    return path


def book(context: RunContext) -> None:
    book_gold(context, context.read_task(), 400)


def test_half_of_the_gold_rows_certify_and_their_labels_are_kept_from_the_rest(tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    options = {"wrong": 0.2, "prepare": book, "gold": str(gold), "gold_sample": "random"}
    with audited_run(tmp_path / "run", texts, **options) as run:
        held = read_held_gold(run.folder)
        used = {one.review.row for one in run.context.reviews.list_step(GOLD_STEP)}
        assert len(held) == len(used) == 50
        assert not used & set(held)
        assert used | set(held) == set(GOLD)
        told = run.certify()
        assert (told.status, told.expert, told.rows) == ("bound", "gold", 400)
        assert (told.audited, told.reviewed) == (50, 100)
        assert run.expert.asked == [], "gold rows certify, and nobody is paid for it"
        upper = int(bound_total(np.array(told.differing), np.array(50), np.array(350), share_error(0.95, 0)))
        assert told.differing > 0
        assert told.bound == (upper - told.differing) / 400
        rows = run.read_labels()
        assert {n for n, row in enumerate(rows) if row["source"] == "gold"} == set(GOLD)
        assert all(rows[n]["label"] == answer(texts[n]) for n in GOLD), "in the end a gold row has its label"


def test_a_target_is_certified_by_gold_rows_or_it_is_not(tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    options = {"wrong": 0.1, "prepare": book, "gold": str(gold), "gold_sample": "random"}
    with audited_run(tmp_path / "run", texts, **options) as run:
        bound = run.certify().bound
        assert bound is not None
        met = run.certify(bound + 0.001)
        assert (met.status, met.bound) == ("certified", bound)
        missed = run.certify(bound - 0.01)
        assert (missed.status, missed.bound) == ("not certified", bound)
        assert "the target allows" in missed.reason
        assert run.claims == [(1, "audit")], "one sample, one bound, whatever it is held against"


def test_gold_rows_of_which_nothing_is_declared_never_certify(tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    with audited_run(tmp_path / "a", texts, prepare=book, gold=str(gold), expert=Expert(source="offline")) as run:
        told = run.certify()
        assert told.status == "none"
        assert "gold_sample: random" in told.reason
    with audited_run(tmp_path / "b", texts, prepare=book, gold=str(gold)) as run:
        told = run.certify()
        assert told.expert == "llm"
        assert "and you, for the 100 rows whose label you gave" in told.statement, "they are what nobody else said"
        assert not set(run.population.row.tolist()) & set(GOLD), "what the person said is known"


def test_a_certificate_by_gold_rows_needs_no_language_model(tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    options = {"prepare": book, "gold": str(gold), "gold_sample": "random", "expert": Expert(source="offline")}
    with audited_run(tmp_path / "run", texts, **options) as run:
        assert run.certify().expert == "gold"


def test_a_gold_row_that_stands_for_two_rows_is_no_random_sample(tmp_path: Path) -> None:
    texts = make_texts(400)
    texts[9] = texts[4].upper()
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    options = {"prepare": book, "gold": str(gold), "gold_sample": "random"}
    with pytest.raises(DataError, match="100 labelled rows are 101 rows"), audited_run(tmp_path, texts, **options):
        pass


def test_a_gold_row_without_a_label_makes_the_rest_no_random_sample(tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(
        tmp_path / "gold.csv", [texts[n] for n in GOLD], lambda text: "" if "48" in text else answer(text)
    )
    with audited_run(tmp_path / "a", texts, prepare=book, gold=str(gold)):
        pass
    options = {"prepare": book, "gold": str(gold), "gold_sample": "random"}
    with pytest.raises(DataError, match="row 12: it has no label"), audited_run(tmp_path / "b", texts, **options):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_which_gold_rows_certify_is_drawn_with_the_seed(seed: int, tmp_path: Path) -> None:
    texts = make_texts(400)
    gold = write_gold(tmp_path / "gold.csv", [texts[n] for n in GOLD])
    options = {"prepare": book, "gold": str(gold), "gold_sample": "random"}
    held = []
    for name, one in (("a", seed), ("b", seed), ("c", seed + 1)):
        with audited_run(tmp_path / name, texts, seed=one, **options) as run:
            held.append(set(read_held_gold(run.folder)))
    assert held[0] == held[1] != held[2]
