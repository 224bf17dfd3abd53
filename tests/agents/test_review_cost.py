"""What reviews are expected to cost before they are asked for."""

import pytest

from agents.review_cost import FREE, count_requests, estimate_tokens, price_reviews
from agents.reviewer import ReviewManner
from agents.target import LLMTarget, Terms
from records.rows import RowText
from records.task import LabelSpec, TaskSpec

TASK = TaskSpec(
    sentence="Positive or negative?",
    labels=(LabelSpec(name="positive"), LabelSpec(name="negative")),
    text_columns=("text",),
)
OWN = LLMTarget(model="own", base_url="http://127.0.0.1:9/v1")
TEXTS = [RowText("a good film"), RowText("a bad film that is quite long")]


@pytest.mark.parametrize(
    ("rows", "steps", "requests"),
    [(0, 4, 0), (3, 4, 3), (40, 4, 4), (44, 4, 8), (100, 1, 10), (5, 0.2, 1), (50, 2, 6)],
)
def test_every_step_asks_by_itself(rows: int, steps: float, requests: int) -> None:
    assert count_requests(rows, steps, 10) == requests


@pytest.mark.parametrize(("batch_api", "share"), [(False, 1.0), (True, 0.5)])
def test_without_an_answer_the_texts_tell_the_tokens(batch_api: bool, share: float) -> None:
    manner = ReviewManner(batch=10)
    told = price_reviews((), TASK, manner, TEXTS, target=OWN, terms=Terms(price=(1.0, 1.0), batch_api=batch_api))
    assert not told.counted
    assert told.seconds is None
    assert told.request_tokens / 10 + told.row_tokens == pytest.approx(estimate_tokens(TASK, manner, TEXTS).mean())
    assert told.row_usd == pytest.approx(share * told.row_tokens / 1e6, rel=0.01)
    assert told.request_usd == pytest.approx(share * told.request_tokens / 1e6, rel=0.01)


def test_of_a_pair_both_texts_are_read() -> None:
    pair, single, long = estimate_tokens(
        TASK, ReviewManner(), [RowText("a" * 400, "b" * 4000), RowText("a" * 400), RowText("a" * 400, "b" * 9000)]
    )
    assert pair - single == pytest.approx(4015 / 4), "the second text, its name and quotes"
    assert pair == long, "as far as it is shown"


def test_an_unknown_price_is_none_and_no_model_is_free() -> None:
    told = price_reviews((), TASK, ReviewManner(), TEXTS, target=OWN, terms=Terms())
    assert (told.request_usd, told.row_usd) == (None, None)
    assert (FREE.request_usd, FREE.row_usd, FREE.request_tokens, FREE.row_tokens) == (0.0, 0.0, 0.0, 0.0)
