"""What labelling every row with the model would have cost: told from the reviews that were asked for."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from agents.all_rows import estimate_all_rows
from agents.base import ReviewRequest
from agents.review_prompts import measure_review
from agents.reviewer import LLMReviewer, ReviewManner
from agents.target import LLMTarget
from records.ledger import Ledger
from tests.agents.builders import make_task
from tests.agents.review_scripts import give_answers, label_of, make_rows, reply
from tests.llm_server import Said, answer_rows

TASK = make_task("Positive", "Negative")
OWN = LLMTarget(model="test-model", base_url="http://localhost:1/v1")
PRICE = (1.0, 10.0)


def review(asker, rows: int, batch: int) -> None:
    texts = [f"a film as {'good' if n % 2 else 'poor'} as number {n:04}, with a few words more" for n in range(rows)]
    LLMReviewer(asker, ReviewManner(batch=batch), concurrency=2).review(ReviewRequest(TASK, make_rows(*texts)))


def test_the_rows_of_a_prompt_are_told_from_the_rest(connect) -> None:
    asker, server = connect(lambda request: answer_rows(request, label_of))
    review(asker, 3, 3)
    (request,) = server.requests()
    contents = [message["content"] for message in request["messages"]]
    length = measure_review(contents)
    assert length is not None
    assert length.rows == 3
    assert length.fixed + length.row_bytes == sum(len(content.encode()) for content in contents)
    lines = [line for line in contents[1].splitlines() if "number 000" in line]
    assert length.row_bytes == sum(len(line.encode()) + 1 for line in lines)
    assert measure_review([*contents, "again"]) is None


def test_the_estimate_is_what_labelling_them_all_does_take(connect, tmp_path: Path) -> None:
    """200 rows are really labelled in batches and one by one, and 40 of them tell what it takes."""
    ledgers = {}
    for name, (rows, batch) in {"some": (40, 8), "batched": (200, 10), "single": (200, 1)}.items():
        asker, _ = connect(lambda request: answer_rows(request, label_of), price=PRICE)
        with closing(Ledger(tmp_path / f"{name}.sqlite")) as ledger:
            object.__setattr__(asker, "ledger", ledger)
            review(asker, rows, batch)
            ledgers[name] = (tuple(ledger.read_answers("reviewer")), ledger.spending()[0])
    told = estimate_all_rows(ledgers["some"][0], 200, 10, OWN, PRICE)
    assert told.reason == ""
    for estimate, name in ((told.single, "single"), (told.batched, "batched")):
        true = ledgers[name][1]
        assert estimate is not None
        assert estimate.requests == true.requests
        assert estimate.tokens_in == pytest.approx(true.tokens_in, rel=0.05)
        assert estimate.tokens_out == pytest.approx(true.tokens_out, rel=0.15), "a batch shares a few words"
        assert estimate.usd == pytest.approx((estimate.tokens_in * 1 + estimate.tokens_out * 10) / 1e6)


def test_only_first_requests_that_were_counted_tell_anything(connect, ledger: Ledger) -> None:
    def script(request: dict) -> Said:
        faulty = len(request["messages"]) == 2 and len(give_answers(request)) == 2
        return Said("no" if faulty else reply(give_answers(request)), counted=faulty)

    asker, _ = connect(script)
    review(asker, 5, 2)
    told = estimate_all_rows(ledger.read_answers("reviewer"), 100, 2, OWN, None)
    assert told.batched is not None
    assert told.batched.requests == 50
    assert told.batched.usd is None
    assert told.batched.tokens_out == 50, "two counted first replies of one word, for two rows each"


def test_where_nothing_was_reviewed_or_counted_it_says_so(connect, ledger: Ledger) -> None:
    told = estimate_all_rows(ledger.read_answers("reviewer"), 100, 10, OWN, PRICE)
    assert (told.single, told.batched, told.reason) == (None, None, "no row was reviewed by it")
    asker, _ = connect(lambda request: Said(answer_rows(request, label_of), counted=False))
    review(asker, 5, 5)
    told = estimate_all_rows(ledger.read_answers("reviewer"), 100, 10, OWN, PRICE)
    assert (told.single, told.reason) == (None, "the endpoint counted the tokens of no review")
    assert json.loads(told.model_dump_json())["batched"] is None
