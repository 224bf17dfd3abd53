"""How the forecast sees the pilot: by the same rules as the stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from graphs.gold import HELD, read_held_gold
from graphs.pilot import Outlook, Pilot, look_ahead
from graphs.reviewing import PROBE_STEP
from graphs.state import RunState
from records.folder import RunFolder, write_table
from records.review_book import BookedReview, ReviewBook
from records.rows import Review, RowText
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from specialists.forecast import PilotRows

LABELS = ("positive", "negative")
ROWS, PROBE = 200, 80
TASK = TaskSpec(sentence="?", labels=tuple(LabelSpec(name=name) for name in LABELS), text_columns=("text",))


def make_pilot() -> Pilot:
    """Return a pilot of rows 1000 and on: two specialists of which the second is unsure on every fourth row and says
    the other label there."""
    positive = np.arange(ROWS) % 2 == 0
    first = np.where(positive, 0.95, 0.05)
    second = np.where(np.arange(ROWS) % 4 == 0, 0.4, first)
    probs = np.stack([np.column_stack([one, 1 - one]) for one in (first, second)])
    return Pilot(1000 + np.arange(ROWS), [RowText("a text")] * ROWS, probs, np.array([0.1, 0.2]))


@contextmanager
def looking(path: Path, *, source: str, answers: list[str | None], **settings: Any) -> Iterator[Outlook]:
    book = ReviewBook(path / "ledger.sqlite")
    reviews = [
        Review(row=1000 + place, label=said, failed=said is None, source=cast(Any, "llm"))
        for place, said in enumerate(answers)
    ]
    booked = [BookedReview(step=PROBE_STEP, row_id=f"r{one.row}", review=one) for one in reviews]
    book.record([f"text {one.row}" for one in reviews], booked)
    context = SimpleNamespace(
        settings=Settings(task="?", data="rows.csv", **settings),
        team=SimpleNamespace(reviewer=SimpleNamespace(source=source)),
        reviews=book,
        read_task=lambda: TASK,
        folder=RunFolder(path),
    )
    state = cast(RunState, {"versions": {"a": 0, "b": 0}})
    try:
        yield look_ahead(cast(Any, context), state, make_pilot())
    finally:
        book.close()


@pytest.fixture(autouse=True)
def equal_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.pilot.weigh_voters", lambda folder, state: np.array([0.5, 0.5]))


def count_wanted(rows: PilotRows, worth: float) -> int:
    return int((rows.value >= worth).sum())


def say(place: int) -> str:
    """Return the first specialist's label, which the reviewer gives on three of four disputed rows."""
    return LABELS[place % 2] if place % 16 else LABELS[1]


def test_a_calibrated_vote_has_those_reviewed_that_are_worth_it(tmp_path: Path) -> None:
    answers = [say(place) for place in range(PROBE)]
    with looking(tmp_path, source="llm", answers=[*answers, None, None], worth=0.05) as outlook:
        wanted = outlook.rows.value >= outlook.worth
        assert wanted[np.arange(ROWS) % 4 == 0].all(), "where the specialists differ the reviewer is worth its money"
        assert not wanted[np.arange(ROWS) % 4 != 0].any()
        unanswered = 2 / (PROBE + 2)
        assert unanswered <= outlook.known_rate < unanswered + 0.1
        assert outlook.rows.differs[wanted].mean() > 2 * outlook.rows.differs[~wanted].mean()


def test_a_review_that_would_change_no_label_is_not_forecast(tmp_path: Path) -> None:
    with looking(tmp_path, source="llm", answers=[say(place) for place in range(PROBE)], worth=0) as outlook:
        assert (outlook.rows.value == 0).any()
        assert count_wanted(outlook.rows, outlook.worth) == (outlook.rows.value > 0).sum() < ROWS


def test_under_a_target_the_riskiest_are_reviewed_first(tmp_path: Path) -> None:
    with looking(tmp_path, source="llm", answers=[say(place) for place in range(PROBE)], target_error=0.1) as outlook:
        assert outlook.target == 0.1
        assert (outlook.rows.value == outlook.rows.differs).all()
        assert (np.argsort(-outlook.rows.value, kind="stable")[: ROWS // 4] % 4 == 0).all()


def test_where_gold_rows_certify_the_errors_count_that_a_review_removes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_table(folder.audits / "gold.parquet", pa.table({"row": [1], "label": ["positive"]}, schema=HELD))
    assert read_held_gold(folder) == {1: "positive"}
    with looking(tmp_path, source="llm", answers=[say(place) for place in range(PROBE)], target_error=0.1) as outlook:
        assert outlook.target == 0.1
        assert (outlook.rows.value <= outlook.rows.differs + 1e-9).all(), "no review removes more than is wrong"
        assert outlook.rows.value.sum() < 0.9 * outlook.rows.differs.sum(), "since the reviewer errs"


def test_the_papers_rule_has_all_that_is_disputed(tmp_path: Path) -> None:
    with looking(tmp_path, source="llm", answers=[], rule="disagreement", vote="majority") as outlook:
        assert count_wanted(outlook.rows, outlook.worth) == ROWS // 4
        assert outlook.rows.differs.max() == 0.5, "half of the specialists say otherwise"


def test_without_a_language_model_all_may_be_reviewed_the_disputed_first(tmp_path: Path) -> None:
    with looking(tmp_path, source="offline", answers=[]) as outlook:
        assert count_wanted(outlook.rows, outlook.worth) == ROWS
        first = np.argsort(-outlook.rows.value)[: ROWS // 4]
        assert (first % 4 == 0).all()


def test_an_offline_reviewer_is_not_asked_where_labelled_rows_taught_the_vote(tmp_path: Path) -> None:
    with looking(tmp_path, source="offline", answers=[say(place) for place in range(PROBE)]) as outlook:
        assert count_wanted(outlook.rows, outlook.worth) == 0


@pytest.mark.parametrize("vote", ["soft", "majority", "dawid_skene"])
def test_a_plain_vote_is_worth_a_review_where_it_is_unsure(tmp_path: Path, vote: str) -> None:
    with looking(tmp_path, source="llm", answers=["positive"] * PROBE, vote=vote, worth=0.3) as outlook:
        assert outlook.known_rate == 0.0, "its answers stand as they are given"
        assert (outlook.rows.value == outlook.rows.differs).all()
        assert (outlook.rows.value[np.arange(ROWS) % 4 != 0] < 0.3).all()
