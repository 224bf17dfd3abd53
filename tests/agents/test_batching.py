"""Batches: submitted once whatever happens, answers found by their requests, half the price, within the budget."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agents.asking import Asker
from agents.base import ReviewRequest
from agents.prices import price_request
from agents.reviewer import LLMReviewer, ReviewManner
from agents.target import LLMTarget, Terms, describe_llm
from agents.team import make_asker, make_desk, make_team
from records.batch_book import BatchBook
from records.errors import LLMUnreachableError, SettingsError
from records.ledger import Ledger
from records.rows import Review
from tests.agents.builders import make_task
from tests.agents.conftest import QUICK
from tests.agents.review_scripts import label_of, make_rows
from tests.batch_server import BatchServer, serving_batches
from tests.conftest import ROOT
from tests.llm_server import Refusal, Said, answer_rows, read_rows

TASK = make_task("Positive", "Negative")
PRICE = (1.0, 10.0)
TEXTS = tuple(f"{'good' if n % 3 else 'poor'} {n}" for n in range(40))
LABELS = [label_of(text) for text in TEXTS]

Connect = Callable[..., tuple[LLMReviewer, BatchServer]]


def answer_all(request: dict[str, Any]) -> str:
    return answer_rows(request, label_of)


@pytest.fixture
def connect(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that starts a server and returns a reviewer with a desk there; with `server`, at that one."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as stack:

        def connect(
            script: Callable[..., Any] = answer_all,
            server: BatchServer | None = None,
            told: list[str] | None = None,
            **terms: Any,
        ) -> tuple[LLMReviewer, BatchServer]:
            server = server or stack.enter_context(serving_batches(script))
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            return make_reviewer(ledger, [] if told is None else told, **terms), server

        yield connect


def make_reviewer(ledger: Ledger, told: list[str], **terms: Any) -> LLMReviewer:
    target = describe_llm("openai:test-model")
    assert target is not None
    how = Terms(**{**QUICK, "batch_api": True, "poll": 0.02, "price": PRICE, **terms})
    asker: Asker = make_asker(target, ledger, how, lambda seconds, reason: told.append(reason))
    return LLMReviewer(asker, ReviewManner(batch=4), concurrency=2, desk=make_desk(asker, ledger))


def review(reviewer: LLMReviewer, texts: Sequence[str] = TEXTS, stage: int | None = 1) -> tuple[Review, ...]:
    return reviewer.review(ReviewRequest(TASK, make_rows(*texts), stage=stage))


def live(server: BatchServer) -> list[dict[str, Any]]:
    """Return the requests that were sent by themselves."""
    return [one.request for one in server.log if "batch" not in one.headers]


def test_reviews_come_from_one_batch_but_for_the_request_that_finds_out_the_form(
    connect: Connect, ledger: Ledger
) -> None:
    told: list[str] = []
    reviewer, server = connect(told=told)
    assert [one.label for one in review(reviewer)] == LABELS
    (batch,) = server.batches
    assert (len(batch.requests), len(live(server))) == (9, 1)
    first = live(server)[0]
    assert all(set(first) - {"stream"} == set(body) - {"stream"} for body in batch.requests.values()), "the same form"
    answers = list(ledger.read_answers("reviewer"))
    assert {one.request_hash for one in answers} > set(batch.requests)
    assert {one.stage for one in answers} == {1}
    assert [json.loads(one.sampling).get("batch", False) for one in answers].count(True) == 9
    assert told == ["works on a batch (in_progress): 0 of 9 requests are answered"]
    assert server.files == {}, "no row is left with the endpoint"


def test_a_batch_costs_half(connect: Connect, ledger: Ledger) -> None:
    reviewer, _ = connect()
    review(reviewer)
    for one in ledger.read_answers("reviewer"):
        assert one.tokens_in is not None
        assert one.tokens_out is not None
        full = (one.tokens_in * PRICE[0] + one.tokens_out * PRICE[1]) / 1e6
        assert one.usd == pytest.approx(full / 2 if "batch" in one.sampling else full)


def test_the_library_knows_who_has_half_the_price() -> None:
    halved = LLMTarget(model="gpt-4o-mini", base_url="https://api.openai.com/v1")
    full = LLMTarget(model="llama-3.3-70b-versatile", base_url="https://api.groq.com/openai/v1")
    for target, share in ((halved, 0.5), (full, 1.0)):
        alone = price_request(target, 1000, 1000, None)
        assert alone is not None
        assert price_request(target, 1000, 1000, None, batch=True) == pytest.approx(share * alone)


def test_what_fails_in_a_batch_is_asked_again_by_itself(connect: Connect, ledger: Ledger) -> None:
    failed: list[str] = []

    def script(request: dict[str, Any]) -> Any:
        texts = " ".join(read_rows(request).values())
        if "good 20" in texts and not failed:
            failed.append(texts)
            return Refusal(500)
        return Said(None) if "poor 30" in texts and len(request["messages"]) == 2 else answer_all(request)

    reviewer, server = connect(script)
    assert [one.label for one in review(reviewer)] == LABELS
    assert len(server.batches) == 1, "nothing is batched twice"
    asked = [sorted(read_rows(request).values()) for request in live(server)[1:]]
    assert sorted(asked) == sorted([sorted(TEXTS[20:24]), sorted(TEXTS[28:32])])


def test_a_second_review_submits_only_what_is_new(connect: Connect) -> None:
    reviewer, server = connect()
    review(reviewer)
    review(reviewer)
    assert len(server.batches) == 1
    review(reviewer, [*TEXTS, "good again", "poor again"])
    assert [len(batch.requests) for batch in server.batches] == [9, 1]
    assert len(live(server)) == 1


def test_an_expired_batch_keeps_what_it_answered(connect: Connect) -> None:
    reviewer, server = connect()
    kept: list[str] = []
    server.rules.ends = "expired"
    server.rules.keeps = lambda key: kept.append(key) is None and len(kept) <= 5
    assert [one.label for one in review(reviewer)] == LABELS
    assert len(live(server)) == 1 + 4


def test_a_batch_that_the_endpoint_fails_ends_the_run_until_later(connect: Connect, ledger: Ledger) -> None:
    reviewer, server = connect(budget=1.0)
    server.rules.ends = "failed"
    with pytest.raises(LLMUnreachableError, match="too many tokens are enqueued"):
        review(reviewer)
    spent = sum(one.usd or 0 for one in ledger.spending())
    assert ledger.sum_spent() == pytest.approx(spent), "nothing of the batch is charged"
    server.rules.ends = "completed"
    again, _ = connect(server=server, budget=1.0)
    assert [one.label for one in review(again)] == LABELS
    assert len(server.batches) == 2


@pytest.mark.parametrize("status", [404, 405])
def test_an_endpoint_without_batches_is_told_before_anything_is_paid(
    connect: Connect, ledger: Ledger, status: int
) -> None:
    reviewer, server = connect()
    server.rules.refuses["/v1/batches"] = Refusal(status)
    with pytest.raises(SettingsError, match=f"has no batches \\({status}\\)"):
        review(reviewer)
    assert server.log == []
    team = make_team("openai:test-model", ledger, terms=Terms(batch_api=True, **QUICK))
    with pytest.raises(SettingsError, match="has no batches"):
        team.check()


def test_an_answer_that_is_lost_submits_nothing_twice(connect: Connect) -> None:
    reviewer, server = connect()
    server.rules.loses |= {"/v1/batches", "/v1/files"}
    assert [one.label for one in review(reviewer)] == LABELS
    assert len(server.batches) == 1


def test_a_batch_that_was_under_way_when_the_process_ended_is_found_again(connect: Connect, ledger: Ledger) -> None:
    _, server = connect(budget=1.0)
    server.rules.looks = 10**9
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(ledger_path(ledger))],
        env={"OPENAI_BASE_URL": server.base_url, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: bool(server.batches) and server.batches[0].looks > 2, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    held = ledger.sum_spent()
    server.rules.looks = 0
    again, _ = connect(server=server, budget=1.0)
    assert [one.label for one in review(again)] == LABELS
    assert len(server.batches) == 1
    assert len(live(server)) == 1
    assert ledger.sum_spent() < held / 3, "what was put aside came back"
    assert ledger.spending()[0].unanswered == 0


def ledger_path(ledger: Ledger) -> Path:
    return Path(ledger.connection.execute("PRAGMA database_list").fetchone()[2])


def wait_for(is_so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.02)


KILLED = """
import sys
from pathlib import Path
from records.ledger import Ledger
from tests.agents.test_batching import make_reviewer, review
review(make_reviewer(Ledger(Path(sys.argv[1])), [], budget=1.0))
"""


def test_a_kill_between_submitting_and_writing_down_submits_nothing_twice(connect: Connect, ledger: Ledger) -> None:
    reviewer, server = connect()
    review(reviewer)
    (batch,) = server.batches
    # As it was before the id came back.
    with ledger.connection:
        ledger.connection.execute("UPDATE batches SET batch_id = NULL, closed = NULL")
        ledger.connection.execute("DELETE FROM answers WHERE sampling LIKE '%batch%'")
    batch.output = ""  # its files were deleted: it is carried out anew
    again, _ = connect(server=server)
    assert [one.label for one in review(again)] == LABELS
    assert server.batches == [batch]
    assert BatchBook(ledger).list_open(server.base_url, "test-model") == ()


def test_a_batch_that_never_arrived_is_submitted(connect: Connect, ledger: Ledger) -> None:
    reviewer, server = connect(budget=1.0)
    server.rules.refuses["/v1/files"] = Refusal(400)
    with pytest.raises(LLMUnreachableError, match="refused a batch"):
        review(reviewer)
    assert len(BatchBook(ledger).list_open(server.base_url, "test-model")) == 1
    server.rules.refuses.clear()
    again, _ = connect(server=server, budget=1.0)
    assert [one.label for one in review(again)] == LABELS
    assert len(server.batches) == 1
    assert ledger.spending()[0].unanswered == 0


def test_only_what_the_budget_can_pay_is_batched(connect: Connect, ledger: Ledger) -> None:
    """A request may cost 2.2 cents in a batch; of 10 the first goes by itself."""
    reviewer, server = connect(budget=0.1)
    reviews = review(reviewer)
    assert [one.label for one in reviews] == LABELS
    assert len(server.batches) > 1
    assert 2 <= len(server.batches[0].requests) <= 4
    assert ledger.sum_spent() <= 0.1
    assert ledger.spending()[0].reserved_usd == 0.0


def test_where_the_budget_ends_rows_are_missing(connect: Connect, ledger: Ledger) -> None:
    reviewer, server = connect(lambda request: answer_all(request) + " word" * 1500, budget=0.052)
    reviews = review(reviewer)
    assert [one.label for one in reviews] == LABELS[:12]
    assert not any(one.failed for one in reviews)
    assert [len(batch.requests) for batch in server.batches] == [1, 1]
    assert ledger.sum_spent() <= 0.052
