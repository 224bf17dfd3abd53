"""How sure a reviewer is: by the log-probabilities of the endpoint where it gives any, and they are kept."""

import math

import pytest

from agents.base import ReviewRequest
from agents.reviewer import LLMReviewer, ReviewManner
from tests.agents.builders import make_task
from tests.agents.review_scripts import give_answers, make_rows, reply

TASK = make_task("Positive", "Negative")
LOGPROBS = {"Positive": math.log(0.6), "Negative": math.log(0.9)}
ROWS = make_rows("good", "poor")


def review(asker):
    return LLMReviewer(asker, ReviewManner(), concurrency=1).review(ReviewRequest(TASK, ROWS))


def test_the_probability_of_the_label_is_taken_where_the_endpoint_gives_it(connect) -> None:
    around = "<think>Positive or Negative?</think>\n```json\n{}\n```".format
    asker, server = connect(
        lambda request: around(reply(give_answers(request)[::-1])), logprobs=lambda token: LOGPROBS.get(token, -0.01)
    )
    reviews = review(asker)
    assert [one.label for one in reviews] == ["Positive", "Negative"]
    assert [one.sureness for one in reviews] == pytest.approx([0.6, 0.9])
    assert {one.sureness_from for one in reviews} == {"logprob"}
    assert review(asker) == reviews, "from the ledger, too"
    assert len(server.log) == 1


def test_the_stated_number_is_taken_where_the_endpoint_gives_none(connect) -> None:
    asker, server = connect(lambda request: reply(give_answers(request)))
    assert {(one.sureness, one.sureness_from) for one in review(asker)} == {(0.8, "stated")}
    assert server.requests()[0]["logprobs"] is True, "it was asked for"
