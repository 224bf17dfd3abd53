"""The reviewer over a scripted model: no row ever gets a label that nobody gave."""

import json
from collections import Counter

import pytest

from agents.base import ReviewRequest, ReviewRow
from agents.reviewer import LONGEST_TEXT, LLMReviewer
from records.errors import LLMUnreachableError
from tests.agents.builders import make_task
from tests.llm_server import Refusal, answer_rows, read_role, read_rows

TASK = make_task("Positive", "Negative")


def request(*texts: str) -> ReviewRequest:
    return ReviewRequest(TASK, tuple(ReviewRow(row=100 + place, text=text) for place, text in enumerate(texts)))


def review(asker, *texts: str, batch: int = 10, concurrency: int = 2):
    return LLMReviewer(asker, batch=batch, concurrency=concurrency).review(request(*texts))


def label_of(text: str) -> str:
    return "Positive" if "good" in text else "Negative"


def test_every_row_gets_its_own_answer(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    texts = [f"{'good' if number % 3 else 'poor'} {number}" for number in range(25)]
    reviews = review(asker, *texts, batch=10, concurrency=4)
    assert [review.row for review in reviews] == list(range(100, 125))
    assert [review.label for review in reviews] == [label_of(text) for text in texts]
    assert all(review.source == "llm" and not review.failed for review in reviews)
    assert sorted(len(read_rows(request)) for request in server.requests()) == [5, 10, 10]
    assert {read_role(request) for request in server.requests()} == {"reviewer"}


def test_the_batches_do_not_depend_on_what_runs_at_the_same_time(connect) -> None:
    texts = [f"good {number}" for number in range(30)]
    asker, server = connect(lambda request: answer_rows(request, label_of))
    one = review(asker, *texts, batch=4, concurrency=1)
    sent = len(server.log)
    assert review(asker, *texts, batch=4, concurrency=8) == one
    assert len(server.log) == sent


def test_the_case_of_a_label_does_not_count(connect) -> None:
    asker, _ = connect(lambda request: answer_rows(request, lambda text: f" {label_of(text).upper()} "))
    assert [review.label for review in review(asker, "good", "poor")] == ["Positive", "Negative"]


def test_identical_texts_are_asked_once(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    reviews = review(asker, "So good", "poor", "so  GOOD ", "so good", batch=2)
    assert [review.label for review in reviews] == ["Positive", "Negative", "Positive", "Positive"]
    assert [review.row for review in reviews] == [100, 101, 102, 103]
    (asked,) = server.requests()
    assert list(read_rows(asked).values()) == ["So good", "poor"]


def test_only_the_rows_without_a_label_are_asked_again(connect) -> None:
    asked: Counter[str] = Counter()

    def script(request: dict) -> str:
        texts = read_rows(request)
        asked.update(texts.values())
        answers = [
            {"id": key, "label": "Negative" if asked[text] > 1 else "Mixed" if text == "odd" else "Positive"}
            for key, text in texts.items()
            if text != "left out" or asked[text] > 1
        ]
        return json.dumps({"answers": answers})

    asker, server = connect(script)
    reviews = review(asker, "plain", "odd", "left out")
    assert [review.label for review in reviews] == ["Positive", "Negative", "Negative"]
    assert asked == {"plain": 1, "odd": 2, "left out": 2}
    assert '{"r1": "Mixed", "r2": null}' in server.requests()[1]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([], "left the row out"),
        ([{"id": "r9", "label": "Positive"}], "left the row out"),
        ([{"id": "r1", "label": "Mixed"}], "'Mixed', which is no label"),
        ([{"id": "r1", "label": ""}], "no label of the task"),
        ([{"id": "r1", "label": "Positive or Negative"}], "no label of the task"),
        ([{"id": "r1", "label": "Positive"}, {"id": "r1", "label": "Negative"}], "no label of the task"),
    ],
)
def test_an_unknown_answer_is_a_failure_and_never_a_class(connect, answers, told: str) -> None:
    asker, server = connect(lambda request: json.dumps({"answers": answers}))
    (review_,) = review(asker, "a text")
    assert (review_.label, review_.failed) == (None, True)
    assert told in review_.reason
    assert len(server.log) == 2


def test_cannot_tell_is_an_answer_and_no_label(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, lambda text: "Cannot tell"))
    (review_,) = review(asker, "hm")
    assert (review_.label, review_.failed, review_.reason) == (None, False, "the reviewer cannot tell")
    assert len(server.log) == 1


def test_a_batch_without_a_usable_reply_fails_alone(connect) -> None:
    def script(request: dict):
        return "I will not." if "vile" in read_rows(request).values() else answer_rows(request, label_of)

    asker, _ = connect(script)
    reviews = review(asker, "good", "vile", "poor", batch=1, concurrency=1)
    assert [review.label for review in reviews] == ["Positive", None, "Negative"]
    assert reviews[1].failed
    assert "no usable reply" in reviews[1].reason


def test_a_refused_request_fails_its_rows_with_the_reason(connect) -> None:
    asker, _ = connect(lambda request: Refusal(400, '{"error": {"message": "content filter"}}'))
    (review_,) = review(asker, "vile")
    assert review_.failed
    assert "content filter" in review_.reason


def test_answers_of_the_first_request_outlive_an_unusable_second(connect) -> None:
    def script(request: dict) -> str:
        return answer_rows(request, label_of) if "good" in read_rows(request).values() else "no"

    first = json.dumps({"answers": [{"id": "r1", "label": "Positive"}]})
    left = [first]
    asker, _ = connect(lambda request: left.pop() if left else script(request))
    reviews = review(asker, "good", "left out")
    assert [(review.label, review.failed) for review in reviews] == [("Positive", False), (None, True)]


def test_an_outage_stops_the_review_and_keeps_what_was_answered(connect, ledger) -> None:
    def script(request: dict):
        return Refusal(401) if "bad" in read_rows(request).values() else answer_rows(request, label_of)

    asker, _ = connect(script)
    with pytest.raises(LLMUnreachableError):
        review(asker, "good", "bad", batch=1, concurrency=1)
    again, server = connect(lambda request: answer_rows(request, label_of))
    assert [review.label for review in review(again, "good", "bad", batch=1)] == ["Positive", "Negative"]
    assert [list(read_rows(request).values()) for request in server.requests()] == [["bad"]]


def test_a_very_long_text_is_cut(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    (review_,) = review(asker, "good " * 20_000)
    assert review_.label == "Positive"
    assert len(server.requests()[0]["messages"][1]["content"]) < LONGEST_TEXT + 2000


def test_the_labels_are_offered_to_the_server_as_the_only_ones(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    review(asker, "good")
    schema = json.dumps(server.requests()[0]["response_format"])
    assert '"enum": ["Positive", "Negative", "cannot tell"]' in schema


def test_no_rows_send_nothing(connect) -> None:
    asker, server = connect(lambda request: "no")
    assert review(asker) == ()
    assert server.log == []
