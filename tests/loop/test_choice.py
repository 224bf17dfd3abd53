"""Which rows of a stage are chosen for review: by rule, worth, share, budget, target, and what was said before."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from graphs.choice import choose_for_review
from graphs.gold import HELD
from graphs.reviewing import ReviewStep, number_step
from graphs.tables import StageRows
from graphs.voting import StageView, StageVote
from records.folder import RunFolder, write_table
from records.review_book import ReviewBook
from records.rows import Review, RowText
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from specialists.vote import VoteResult

ROWS = 40
EMPTY = 3
TASK = TaskSpec(sentence="Good?", labels=(LabelSpec(name="good"), LabelSpec(name="bad")), text_columns=("text",))
VALUE = np.linspace(0.39, 0.0, ROWS - 1)
"""Of the rows that have a text, from the first to the last."""


@dataclass
class Stage:
    """Stage 1 of a run, before its first review."""

    book: ReviewBook
    folder: RunFolder

    def view(self, source: str = "llm", **settings: Any) -> StageView:
        texts = [RowText(f"text {number:02d}" if number != EMPTY else " ") for number in range(ROWS)]
        rows = StageRows(np.arange(ROWS, 2 * ROWS), [f"r{n}" for n in range(ROWS)], texts)
        filled = np.flatnonzero(~rows.empty)
        chosen = Settings(task="Good?", data="rows.csv", llm="openai:x", **settings)
        team = SimpleNamespace(reviewer=SimpleNamespace(source=source))
        view = SimpleNamespace(
            context=SimpleNamespace(settings=chosen, team=team, read_task=lambda: TASK, folder=self.folder),
            stage=1, rows=rows, filled=filled, texts=[texts[n] for n in filled],
            step=lambda number: ReviewStep(number=number, reviews=self.book, rows=rows),
        )  # fmt: skip
        return cast(StageView, view)

    def answer(self, step: int, *places: int, **said: Any) -> None:
        reviews = [Review(row=ROWS + place, source="llm", **(said or {"label": "good"})) for place in places]
        self.view().step(step).book(reviews)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(ReviewBook(tmp_path / "ledger.sqlite")) as book:
        yield Stage(book, RunFolder(tmp_path))


def hold(taught: int = 0, **parts: Any) -> StageVote:
    rows = ROWS - 1
    mean = np.column_stack([np.full(rows, 0.7), np.full(rows, 0.3)])
    result = VoteResult(label=np.zeros(rows, dtype=np.int64), mean=mean, confidence=mean[:, 0], agreement=np.ones(rows))
    disputed = np.zeros(rows, dtype=np.bool_)
    return replace(StageVote(result, disputed, VALUE, VALUE, mean, taught), **parts)


FIRST, SECOND = (number_step(1, "risk", round_) for round_ in (0, 1))


def test_rows_are_reviewed_by_their_value_and_none_that_is_not_worth_it(stage: Stage) -> None:
    chosen = choose_for_review(stage.view(review_batch=100), hold(), FIRST, 1.0, None)
    assert EMPTY not in chosen.rows
    assert chosen.rows.tolist() == stage.view().filled[VALUE >= 0.1].tolist()
    assert 0 < len(chosen.rows) < ROWS - 1
    assert chosen.is_last, "they fill no request: what a refit might add would fill less"
    none = choose_for_review(stage.view(worth=0.9), hold(), FIRST, 1.0, None)
    assert (len(none.rows), none.is_last, none.is_short) == (0, True, False)


def test_a_review_that_would_change_no_label_is_worth_nothing(stage: Stage) -> None:
    value = np.where(np.arange(ROWS - 1) < 7, 0.2, np.where(np.arange(ROWS - 1) % 2, 0.0, 1e-17))
    chosen = choose_for_review(stage.view(worth=0, review_batch=100), hold(value=value), FIRST, 1.0, None)
    assert chosen.rows.tolist() == stage.view().filled[:7].tolist()


def test_a_round_is_no_larger_than_what_taught_the_vote_in_whole_requests(stage: Stage) -> None:
    sizes = [
        len(choose_for_review(stage.view(review_batch=2, worth=0), hold(taught), FIRST, 1.0, None).rows)
        for taught in (0, 3, 100)
    ]
    assert sizes == [2, 4, 4], "at most a tenth of the stage"


def test_every_round_but_the_last_fills_its_requests(stage: Stage) -> None:
    view, held = stage.view(review_batch=10), hold(100, value=np.where(np.arange(ROWS - 1) < 23, 0.2, 0.0))
    rounds: list[tuple[int, bool]] = []
    for round_ in range(3):
        chosen = choose_for_review(view, held, number_step(1, "risk", round_), 1.0, None)
        stage.answer(number_step(1, "risk", round_), *chosen.rows)
        rounds.append((len(chosen.rows), chosen.is_last))
    assert rounds == [(10, False), (10, False), (3, True)]


UNDECIDED: dict[str, Any] = {"undecided": True}
FAILED: dict[str, Any] = {"failed": True, "reason": "It was refused."}


@pytest.mark.parametrize(
    ("rounds", "silence"),
    [
        ([FAILED, FAILED], "the last 10 rows got no answer from the reviewer: 10 requests failed (It was refused.)"),
        ([{}, UNDECIDED, UNDECIDED], "the last 10 rows got no answer from the reviewer: it cannot tell"),
        ([FAILED], ""),
        ([UNDECIDED, {}, FAILED], ""),
    ],
)
def test_a_reviewer_that_gives_no_answer_is_asked_no_more(
    stage: Stage, rounds: list[dict[str, Any]], silence: str
) -> None:
    view = stage.view(target_error=0.05, review_batch=5)
    for round_, said in enumerate(rounds):
        stage.answer(number_step(1, "risk", round_), *stage.view().filled[5 * round_ : 5 * round_ + 5], **said)
    chosen = choose_for_review(view, hold(), number_step(1, "risk", len(rounds)), 1.0, None)
    assert chosen.silence == silence
    assert (len(chosen.rows) == 0) == chosen.is_last == bool(silence)


def test_a_share_holds_for_all_rounds_together(stage: Stage) -> None:
    view = stage.view(worth=0)
    first = choose_for_review(view, hold(), FIRST, 0.3, None)
    assert (len(first.rows), first.is_last) == (10, False)
    stage.answer(FIRST, *first.rows)
    second = choose_for_review(view, hold(10), SECOND, 0.3, None)
    assert (len(second.rows), second.is_last) == (2, True)
    assert not set(first.rows) & set(second.rows)
    nothing = choose_for_review(view, hold(), FIRST, 0.0, None)
    assert (len(nothing.rows), nothing.is_last, nothing.is_short) == (0, True, False)


def test_a_budget_ends_the_reviews_and_says_so(stage: Stage) -> None:
    chosen = choose_for_review(stage.view(worth=0), hold(), FIRST, 1.0, 4)
    assert (len(chosen.rows), chosen.is_short) == (4, True)


def test_the_paper_s_rule_reviews_all_that_is_disputed_at_once(stage: Stage) -> None:
    disputed = np.arange(ROWS - 1) % 3 == 0
    chosen = choose_for_review(stage.view(rule="disagreement"), hold(disputed=disputed), FIRST, 1.0, None)
    assert chosen.rows.tolist() == stage.view().filled[disputed].tolist()
    assert chosen.is_last


@pytest.mark.parametrize("said", [{"label": "good"}, {"undecided": True}, {"failed": True, "reason": "refused"}])
@pytest.mark.parametrize("settings", [{"worth": 0}, {"target_error": 0.1}, {"rule": "disagreement"}])
def test_a_step_that_runs_again_chooses_the_same_rows(
    stage: Stage, said: dict[str, Any], settings: dict[str, Any]
) -> None:
    view, held = stage.view(review_batch=30, **settings), hold(disputed=VALUE > 0.2)
    before = choose_for_review(view, held, FIRST, 1.0, None)
    assert len(before.rows) > 0
    stage.answer(FIRST, *before.rows, **said)
    again = choose_for_review(view, held, FIRST, 1.0, None)
    assert again.rows.tolist() == before.rows.tolist()
    assert (again.is_last, again.is_short) == (before.is_last, before.is_short)


def test_under_a_target_rows_without_an_answer_use_its_room_up(stage: Stage) -> None:
    view = stage.view(target_error=0.1, review_batch=100)
    before = choose_for_review(view, hold(), FIRST, 1.0, None)
    stage.answer(number_step(0, "risk"), ROWS - 1, ROWS - 2, undecided=True)
    undecided = choose_for_review(view, hold(), FIRST, 1.0, None)
    assert len(undecided.rows) > len(before.rows)


def test_the_reviewer_without_a_language_model_sees_nothing_where_gold_taught_the_vote(stage: Stage) -> None:
    view = stage.view(source="offline")
    taught = choose_for_review(view, hold(40), FIRST, 0.5, None)
    assert (len(taught.rows), taught.is_last) == (0, True)
    plain = choose_for_review(view, hold(after=None), FIRST, 0.5, None)
    assert (len(plain.rows), plain.is_last) == (20, True)


def test_where_gold_rows_certify_reviews_go_on_until_so_few_errors_are_left(stage: Stage) -> None:
    """Reviews are evidence there: each removes what it is worth, and no answer settles its row."""
    write_table(stage.folder.audits / "gold.parquet", pa.table({"row": [1], "label": ["good"]}, schema=HELD))
    chosen = choose_for_review(stage.view(target_error=0.2, review_batch=100), hold(), FIRST, 1.0, None)
    errors, room = 0.3 * (ROWS - 1), 7
    assert errors - VALUE[: len(chosen.rows)].sum() <= room < errors - VALUE[: len(chosen.rows) - 1].sum()
    hopeless = choose_for_review(stage.view(target_error=0.01, review_batch=100), hold(), FIRST, 1.0, None)
    assert len(hopeless.rows) == (VALUE > 0).sum(), "all that a review helps"
