"""The reviewer over a scripted model: no row ever gets a label that nobody gave it."""

import json
from collections import Counter

import pytest

from agents.base import ReviewRequest, ReviewRow
from agents.review_prompts import LONGEST_TEXT
from agents.reviewer import LLMReviewer, ReviewManner
from records.errors import LLMUnreachableError
from records.task import LabelSpec, TaskSpec
from tests.agents.builders import make_task
from tests.agents.review_scripts import answer, give_answers, label_of, make_rows, read_asked, reply
from tests.llm_server import Refusal, answer_rows, read_role, read_rows

TASK = make_task("Positive", "Negative")
LABELS = (LabelSpec(name="fun"), LabelSpec(name="sad"), LabelSpec(name="odd"))


def review(asker, *texts: str, concurrency: int = 2, task: TaskSpec = TASK, **manner):
    request = ReviewRequest(task, make_rows(*texts))
    return LLMReviewer(asker, ReviewManner(**manner), concurrency=concurrency).review(request)


def test_every_row_gets_its_own_answer(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    texts = [f"{'good' if number % 3 else 'poor'} {number}" for number in range(25)]
    reviews = review(asker, *texts, batch=10, concurrency=4)
    assert [review.row for review in reviews] == list(range(100, 125))
    assert [review.label for review in reviews] == [label_of(text) for text in texts]
    assert all(review.source == "llm" and not review.failed for review in reviews)
    assert sorted(len(read_rows(request)) for request in server.requests()) == [5, 10, 10]
    assert {read_role(request) for request in server.requests()} == {"reviewer"}


def test_the_order_of_the_answers_does_not_matter(connect) -> None:
    asker, _ = connect(lambda request: reply(give_answers(request)[::-1]))
    reviews = review(asker, "good", "poor", "so good")
    assert [review.label for review in reviews] == ["Positive", "Negative", "Positive"]


def test_the_batches_do_not_depend_on_what_runs_at_the_same_time(connect) -> None:
    texts = [f"good {number}" for number in range(30)]
    asker, server = connect(lambda request: answer_rows(request, label_of))
    one = review(asker, *texts, batch=4, concurrency=1)
    sent = len(server.log)
    assert review(asker, *texts, batch=4, concurrency=8) == one
    assert len(server.log) == sent, "the same rows make the same requests, which are in the ledger"


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


def test_what_the_model_says_of_its_sureness_is_kept(connect) -> None:
    asker, _ = connect(lambda request: reply(answer(row["id"], sure=0.35) for row in read_asked(request)))
    (review_,) = review(asker, "good")
    assert (review_.sureness, review_.sureness_from) == (0.35, "stated")


def test_a_faulty_reply_is_asked_again_whole_with_what_is_wrong(connect) -> None:
    def script(request: dict) -> str:
        answers = give_answers(request)
        return reply(answers[1:] if len(request["messages"]) == 2 else answers)

    asker, server = connect(script)
    reviews = review(asker, "good", "poor")
    assert [review.label for review in reviews] == ["Positive", "Negative"]
    first, second = server.requests()
    key = read_asked(first)[0]["id"]
    assert f"no answer for these ids: {key}" in second["messages"][-1]["content"]
    assert read_asked(second) == read_asked(first)


def test_a_row_that_is_refused_takes_no_other_along(connect) -> None:
    asked: Counter[tuple[str, ...]] = Counter()

    def script(request: dict):
        texts = tuple(read_rows(request).values())
        asked[texts] += 1
        return (
            Refusal(400, '{"error": {"message": "content filter"}}')
            if "vile" in texts
            else reply(give_answers(request))
        )

    asker, _ = connect(script)
    reviews = review(asker, "good", "vile", "poor")
    assert [review.label for review in reviews] == ["Positive", None, "Negative"]
    assert [review.failed for review in reviews] == [False, True, False]
    assert "content filter" in reviews[1].reason
    assert {("good",), ("vile",), ("poor",)} < set(asked)


def test_rows_are_asked_one_by_one_where_no_reply_about_all_can_be_used(connect) -> None:
    def script(request: dict) -> str:
        return "I will not." if "vile" in read_rows(request).values() else reply(give_answers(request))

    asker, server = connect(script)
    reviews = review(asker, "good", "vile", "poor")
    assert [review.label for review in reviews] == ["Positive", None, "Negative"]
    assert "no usable reply" in reviews[1].reason
    sizes = [len(read_rows(request)) for request in server.requests()]
    assert sizes == [3, 3, 3, 1, 1, 1, 1, 1], "three replies about all, and then one, three and one"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([], "no answer for these ids"),
        ([{"id": "r9", "label": "Positive", "sure": 1}], "answers for ids that no row has: r9"),
        ([{"label": "Mixed"}], "'Mixed' is no label"),
        ([{"label": ""}], "'' is no label"),
        ([{"label": "Positive or Negative"}], "is no label of the task"),
        ([{"label": None}], "the label is missing"),
        ([{"sure": 1.2}], "less than or equal to 1"),
        ([{"sure": "quite"}], "answers.0.sure"),
        ([{}, {"label": "Negative"}], "more than one answer"),
        ([{}, {}], "more than one answer"),
    ],
)
def test_an_unknown_answer_is_a_failure_and_never_a_class(connect, answers, told: str) -> None:
    def script(request: dict) -> str:
        (row,) = read_asked(request)
        return reply({**answer(row["id"]), **given} for given in answers)

    asker, server = connect(script)
    (review_,) = review(asker, "a text")
    assert (review_.label, review_.failed) == (None, True)
    assert told in review_.reason
    assert len(server.log) == 3, "a batch of one is not asked about again on its own"


def test_cannot_tell_is_an_answer_and_no_label(connect) -> None:
    asker, server = connect(
        lambda request: reply(answer(row["id"], "Cannot tell", reason="One word.") for row in read_asked(request))
    )
    (review_,) = review(asker, "hm", reasons=True)
    assert (review_.label, review_.undecided, review_.failed, review_.reason) == (None, True, False, "One word.")
    assert len(server.log) == 1


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
    (row,) = read_asked(server.requests()[0])
    assert len(row["text"]) < LONGEST_TEXT + 10


def test_reasons_and_thoughts_are_asked_for_and_reasons_kept(connect) -> None:
    def script(request: dict) -> str:
        fields = {"thought": "It says so."} if len(request["messages"]) > 2 else {}
        return reply({**one, **fields, "reason": "Because."} for one in give_answers(request))

    asker, server = connect(script)
    (review_,) = review(asker, "good", style="cot", reasons=True)
    assert (review_.label, review_.reason) == ("Positive", "Because.")
    assert "the thought is missing" in server.requests()[1]["messages"][-1]["content"]


def test_several_labels_are_a_list_perhaps_an_empty_one(connect) -> None:
    said = {"all": ["odd", "FUN"], "none": [], "unclear": "cannot tell"}

    def script(request: dict) -> str:
        return reply({"id": row["id"], "labels": said[row["text"]], "sure": 0.7} for row in read_asked(request))

    asker, _ = connect(script)
    task = make_task("x", "y").model_copy(update={"kind": "multi_label", "labels": LABELS})
    reviews = review(asker, *said, task=task)
    assert [review.labels for review in reviews] == [("fun", "odd"), (), None]
    assert [review.undecided for review in reviews] == [False, False, True]
    assert all(review.label is None and not review.failed for review in reviews)


def test_a_pair_is_two_texts_and_only_the_same_pair_is_asked_once(connect) -> None:
    pairs = [("a b", "c"), ("a", "b c"), ("A  b", "C"), ("c", "a b")]
    asker, server = connect(lambda request: reply(answer(row["id"], row["text_a"]) for row in read_asked(request)))
    task = TaskSpec(
        sentence="Do they agree?", kind="text_pair", text_columns=("one", "two"),
        labels=tuple(LabelSpec(name=name) for name in ("a", "a b", "c")),
    )  # fmt: skip
    rows = tuple(ReviewRow(row=place, text=one, text_pair=two) for place, (one, two) in enumerate(pairs))
    reviews = LLMReviewer(asker, ReviewManner(), concurrency=1).review(ReviewRequest(task, rows))
    assert [review.label for review in reviews] == ["a b", "a", "a b", "c"]
    (asked,) = map(read_asked, server.requests())
    assert [(row["text_a"], row["text_b"]) for row in asked] == [pairs[0], pairs[1], pairs[3]]


def test_no_vote_is_in_a_request_unless_the_rows_bring_them(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    rows = make_rows("good", "poor")
    reviewer = LLMReviewer(asker, ReviewManner(), concurrency=1)
    reviewer.review(ReviewRequest(TASK, rows))
    shown = tuple(row.model_copy(update={"votes": {"some-model": "Negative"}}) for row in rows)
    reviewer.review(ReviewRequest(TASK, shown))
    hidden, open_ = (json.dumps(request) for request in server.requests())
    assert "vote" not in hidden
    assert "some-model" in open_


def test_the_labels_and_the_ids_are_offered_to_the_server_as_the_only_ones(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    review(asker, "good", "poor")
    (request,) = server.requests()
    schema = json.dumps(request["response_format"])
    assert '"enum": ["Positive", "Negative", "cannot tell"]' in schema
    assert json.dumps([row["id"] for row in read_asked(request)]) in schema


def test_no_rows_send_nothing(connect) -> None:
    asker, server = connect(lambda request: "no")
    assert review(asker) == ()
    assert server.log == []
