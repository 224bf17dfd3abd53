"""Gold rows are put to the reviewer once: which, how many, for how much money, and what becomes of the answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from agents.review_cost import FREE, ReviewPrice
from graphs.calibrating import calibrate_reviewer
from graphs.context import RunContext
from graphs.gold import book_gold, read_held_gold
from graphs.reviewing import CALIBRATION_STEP, GOLD_STEP, gather_testimony
from records.events import Noticed
from records.review_book import BookedReview
from specialists.combination import NOT_ASKED
from specialists.label_space import OneLabel
from tests.audited_run import LABELS, AuditedRun, Expert, answer, audited_run, hash_share, make_texts
from tests.loop.test_gold_sample import write_gold

ROWS = 400
FILE_ROWS = 1600
"""Of the whole file, which the gold rows are a part of, as far as the bound goes."""
GOLD = range(0, ROWS, 4)
PRICE = ReviewPrice(100.0, 10.0, request_usd=0.01, row_usd=0.01, most_usd=0.02, seconds=None, counted=True)
NO_PILOT = np.array([], dtype=np.int64)


def err(text: str) -> str | None:
    """Return what a poor reviewer says: now and then nothing, often the other label."""
    share, right = hash_share(text, "poor"), answer(text)
    return None if share < 0.1 else LABELS[1 - LABELS.index(right)] if share < 0.4 else right


def book(context: RunContext) -> None:
    book_gold(context, context.read_task(), ROWS)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    gold = write_gold(tmp_path / "gold.csv", [make_texts(ROWS)[n] for n in GOLD])

    def start(name: str = "run", **options: Any) -> Any:
        chosen = {"expert": Expert(said=err), "gold": str(gold), "prepare": book, **options}
        return audited_run(tmp_path / name, make_texts(ROWS), **chosen)

    return start


def list_asked(run: AuditedRun) -> list[BookedReview]:
    return list(run.context.reviews.list_step(CALIBRATION_STEP))


def test_gold_rows_are_asked_about_once_and_keep_their_label(run: Callable[..., Any]) -> None:
    with run() as one:
        for _ in range(2):
            calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, FREE)
        texts = make_texts(ROWS)
        assert len(set(one.expert.asked)) == 80, "a twentieth of the rows, none twice"
        asked = list_asked(one)
        assert {booked.review.row for booked in asked} < set(GOLD)
        assert {booked.inclusion for booked in asked} == {80 / 100}
        assert all(booked.review.label == err(texts[booked.review.row]) for booked in asked)
        rows = one.read_labels()
        assert all((rows[n]["label"], rows[n]["source"]) == (answer(texts[n]), "gold") for n in GOLD)
        right = sum(booked.review.label == answer(texts[booked.review.row]) for booked in asked)
        answered = sum(booked.review.label is not None for booked in asked)
        told = [event.message for event in one.events if isinstance(event, Noticed) and "reviewer was" in event.message]
        assert set(told) == {
            f"The reviewer was asked about 80 gold rows: {answered} answers, {right} as the gold label."
        }


def test_the_vote_learns_truth_and_answer_of_a_row(run: Callable[..., Any]) -> None:
    with run() as one:
        calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, FREE)
        gold = one.context.reviews.list_step(GOLD_STEP)
        said = gather_testimony(one.context.reviews, gold, OneLabel(LABELS))
        assert [LABELS[label] for label in said.truth] == [booked.review.label for booked in gold]
        answers = {booked.review.row: booked.review.label for booked in list_asked(one)}
        expected = [answers.get(booked.review.row) for booked in gold]
        assert [None if label == NOT_ASKED else LABELS[label] for label in said.answers] == expected
        assert 0 < sum(label is None for label in expected) < len(expected), "not asked, or without an answer"


def test_rows_of_the_pilot_come_first(run: Callable[..., Any]) -> None:
    pilot = np.array([*range(0, 200, 4), 1, 2, 3], dtype=np.int64)
    with run(calibration_size=60) as one:
        calibrate_reviewer(one.context, FILE_ROWS, pilot, FREE)
        asked = {booked.review.row for booked in list_asked(one)}
        assert asked >= set(range(0, 200, 4))
        assert len(asked) == 60


def test_what_certifies_is_never_asked_about(run: Callable[..., Any]) -> None:
    with run(gold_sample="random") as one:
        calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, FREE)
        held = {make_texts(ROWS)[n] for n in read_held_gold(one.folder)}
        assert len(one.expert.asked) == len(held) == 50
        assert not held & set(one.expert.asked)


def test_a_budget_bounds_what_is_asked(run: Callable[..., Any]) -> None:
    with run("fifth", budget=1.0) as one:
        calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, PRICE)
        assert len(list_asked(one)) == 10, "a fifth of the budget, at the price of a row in a request of its own"
    with run("broke", budget=1000.0, expert=Expert(said=err, money=25)) as one:
        calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, PRICE)
        assert len(list_asked(one)) == 20, "what was paid for is kept"
        assert "the budget did not pay for 60 more" in one.events[-1].message
        drawn = pq.read_table(one.folder.audition / "calibration.parquet")
        assert len(drawn) == 80


@pytest.mark.parametrize(
    "options", [{"expert": Expert(source="offline")}, {"vote": "majority"}, {"calibration_size": 0}, {"gold": None}]
)
def test_nobody_is_asked_where_it_teaches_nothing(run: Callable[..., Any], options: dict[str, Any]) -> None:
    with run(**options) as one:
        calibrate_reviewer(one.context, FILE_ROWS, NO_PILOT, FREE)
        assert one.expert.asked == []
