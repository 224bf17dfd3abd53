"""Few-shot reviews: which decided rows are shown, and that none is the row itself."""

import pytest

from agents.base import KnownRow, ReviewRequest
from agents.examples import EXAMPLES
from agents.reviewer import LLMReviewer, ReviewManner
from tests.agents.builders import make_task
from tests.agents.review_scripts import give_answers, make_rows, read_asked, read_shown, reply

TASK = make_task("Positive", "Negative")


def ask(connect, known: tuple[KnownRow, ...], *texts: str, style: str = "few", batch: int = 10):
    asker, server = connect(lambda request: reply(give_answers(request)))
    manner = ReviewManner(batch=batch, style=style)
    LLMReviewer(asker, manner, concurrency=1).review(ReviewRequest(TASK, make_rows(*texts), known=known))
    return server.requests()


def test_the_nearest_decided_rows_of_each_label_are_shown_with_their_label(connect) -> None:
    known = tuple(
        KnownRow(text=f"{thing} number {number} was {word}", labels=(label,))
        for number in range(10)
        for thing in ("the battery", "the film")
        for word, label in (("good", "Positive"), ("poor", "Negative"))
    )
    (request,) = ask(connect, known, "a battery that is so-so")
    shown = read_shown(request)
    assert len(shown) == EXAMPLES
    assert all("battery" in row["text"] for row in shown)
    assert sorted(row["label"] for row in shown) == ["Negative"] * 4 + ["Positive"] * 4


def test_each_request_has_the_examples_of_its_own_rows(connect) -> None:
    known = (KnownRow(text="kettles boil", labels=("Positive",)), KnownRow(text="sonnets rhyme", labels=("Negative",)))
    requests = ask(connect, known, "my kettle boils over", "a sonnet that rhymes", batch=1)
    shown = {read_asked(one)[0]["text"]: [row["text"] for row in read_shown(one)] for one in requests}
    assert shown["my kettle boils over"][0] == "kettles boil"
    assert shown["a sonnet that rhymes"][0] == "sonnets rhyme"


def test_a_row_is_no_example_of_itself_nor_of_its_neighbours(connect) -> None:
    known = (KnownRow(text="So  GOOD", labels=("Negative",)), KnownRow(text="so good!", labels=("Positive",)))
    for request in ask(connect, known, "so good", "so poor", batch=1):
        assert [row["text"] for row in read_shown(request)] == ["so good!"]


@pytest.mark.parametrize("style", ["zero", "cot"])
def test_the_other_styles_show_none(connect, style: str) -> None:
    known = (KnownRow(text="so good!", labels=("Positive",)),)
    request, *_ = ask(connect, known, "so good", style=style)
    assert read_shown(request) == []


def test_where_nothing_is_decided_yet_nothing_is_shown(connect) -> None:
    (request,) = ask(connect, (), "so good")
    assert read_shown(request) == []
