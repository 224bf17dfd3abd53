"""Every fault of an endpoint and of a reply, one at a time: what is asked again, what is waited, how it ends."""

import email.utils
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from pydantic import BaseModel

from agents.asking import Asker
from agents.failures import read_retry_after
from agents.prompting import Prompt
from agents.replies import read_json
from records.errors import LLMUnreachableError, ReplyError
from tests import faults
from tests.llm_server import Answer, Refusal, Said

SOON = {"retry-after-ms": "1"}
GOOD = '{"number": 7}'


class Number(BaseModel):
    number: int


def ask(asker: Asker, request: str = "A number?") -> int:
    prompt = Prompt(role="tester", system="You test.", request=request, hash="0" * 64)
    return asker.ask(prompt, read_json(Number), Number.model_json_schema()).value.number


def say(*answers: Answer):
    """Script: one answer after another; the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize("fault", faults.TRANSPORT, ids=lambda fault: fault.__name__)
def test_a_fault_of_the_transport_is_tried_again_with_the_same_request(connect, fault: faults.Fault) -> None:
    asker, server = connect(say(fault(GOOD), GOOD), timeout=0.5)
    assert ask(asker) == 7
    first, second = server.requests()
    assert first == second


@pytest.mark.parametrize("fault", faults.FORMAT, ids=lambda fault: fault.__name__)
def test_what_stands_around_an_answer_is_read_past(connect, fault: faults.Fault) -> None:
    asker, server = connect(say(fault(GOOD)))
    assert ask(asker) == 7
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (faults.cut_text, "cut off"),
        (faults.stopped_text, "no valid JSON object"),
        (faults.refuse, "I cannot help with that."),
        (faults.say_nothing, "empty"),
        (lambda good: Said(None, finish="content_filter"), "refusal"),
    ],
)
def test_no_whole_answer_is_asked_for_again_with_the_reason(connect, ledger, fault: faults.Fault, told: str) -> None:
    asker, server = connect(say(fault(GOOD), GOOD))
    assert ask(asker) == 7
    said = server.requests()[1]["messages"][-1]["content"]
    assert told in said
    assert "could not be used" in said
    assert ledger.spending()[0].requests == 2, "what came back is written down, usable or not"


@pytest.mark.parametrize("fault", faults.NO_ANSWER, ids=lambda fault: fault.__name__)
def test_what_never_answers_ends_in_a_reply_error(connect, fault: faults.Fault) -> None:
    asker, server = connect(say(fault(GOOD)))
    with pytest.raises(ReplyError, match="no usable reply in 3 attempts"):
        ask(asker)
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("headers", "least"),
    [({"Retry-After": "0.3"}, 0.3), ({"retry-after-ms": "300"}, 0.3), ({"Retry-After": "{date}"}, 0.5)],
)
def test_retry_after_is_honoured_in_full(connect, headers: dict[str, str], least: float) -> None:
    date = email.utils.formatdate(time.time() + 2, usegmt=True)  # in whole seconds: it is 1 to 2 seconds away
    asker, _ = connect(
        say(Refusal(429, headers={n: v.format(date=date) for n, v in headers.items()}), GOOD), patience=9
    )
    started = time.monotonic()
    assert ask(asker) == 7
    assert time.monotonic() - started >= least


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7.0), ({"retry-after": "-7"}, 0.0), ({"retry-after": "soon"}, None), ({}, None)],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(httpx2.Headers(headers)) == seconds


def test_an_endpoint_that_asks_for_more_than_our_patience_ends_the_run_at_once(connect) -> None:
    asker, server = connect(say(GOOD, Refusal(429, headers={"Retry-After": "7200"})))
    ask(asker)
    with pytest.raises(LLMUnreachableError, match="7200 s"):
        ask(asker, "Another?")
    assert len(server.log) == 2


def test_an_endpoint_that_never_answered_is_tried_five_times(connect) -> None:
    told: list[str] = []
    asker, server = connect(say(Refusal(503)), tell=lambda seconds, reason: told.append(reason), patience=60)
    with pytest.raises(LLMUnreachableError, match="503"):
        ask(asker)
    assert len(server.log) == 5
    assert told == []


def test_an_outage_pauses_every_request_and_then_goes_on(connect) -> None:
    down_until = 0.0
    tries: list[float] = []

    def script(request: dict) -> Answer:
        now = time.monotonic()
        if now < down_until:
            tries.append(now)
            return Refusal(503)
        return GOOD

    told: list[tuple[float, str]] = []
    asker, _ = connect(
        script, tell=lambda seconds, reason: told.append((seconds, reason)), patience=20, first_pause=0.4, concurrency=4
    )
    ask(asker)
    down_until = time.monotonic() + 2.0
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: ask(asker, f"Number {number}?"), range(16))) == [7] * 16
    assert [seconds for seconds, _ in told[:2]] == [0.4, 0.8]
    assert all("503" in reason for _, reason in told)
    assert len(tries) <= 5 + 3 + len(told), "while it is paused one request at a time goes through"


def test_patience_ends_and_everyone_is_told(connect) -> None:
    asker, server = connect(say(GOOD, Refusal(503)), patience=1.0, concurrency=4)
    ask(asker)
    with ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        asked = [pool.submit(ask, asker, f"Number {number}?") for number in range(4)]
        assert all(isinstance(one.exception(timeout=20), LLMUnreachableError) for one in asked)
    assert time.monotonic() - started < 4
    tries = len(server.log)
    with pytest.raises(LLMUnreachableError):
        ask(asker, "One more?")
    assert len(server.log) == tries, "after that nothing is sent"


def test_a_request_that_fails_while_others_are_answered_fails_alone(connect) -> None:
    asker, server = connect(
        lambda request: Refusal(500, headers=SOON) if "poison" in str(request["messages"]) else GOOD, patience=60
    )
    ask(asker)
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(ask, asker, "poison")
        number = 0
        while not failing.done():
            assert ask(asker, f"Number {number}?") == 7
            number += 1
    with pytest.raises(ReplyError, match="not this one"):
        failing.result()
    assert 5 <= sum("poison" in str(request["messages"]) for request in server.requests()) <= 20


def test_no_more_requests_are_under_way_than_allowed(connect) -> None:
    running, most = [0], [0]

    def script(request: dict) -> Answer:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.05)
        running[0] -= 1
        return GOOD

    asker, _ = connect(script, concurrency=3)
    ask(asker)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: ask(asker, f"Number {number}?"), range(24)))
    assert most[0] == 3


def test_a_key_that_is_sent_back_is_hidden(connect, monkeypatch, tmp_path) -> None:
    key = "sk-a-very-secret-key"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    asker, server = connect(
        lambda request: Refusal(400, f'{{"error": "{key}"}}') if "refuse" in str(request) else f"{GOOD} {key}",
        logprobs=lambda text: -0.1,
    )
    prompt = Prompt(role="tester", system="You test.", request="A number?", hash="0" * 64)
    reply = asker.ask(prompt, read_json(Number), logprobs=True)
    assert (reply.raw, reply.tokens) == (f"{GOOD} [key]", ())
    with pytest.raises(ReplyError, match=r"\[key\]"):
        ask(asker, "Please refuse.")
    assert f"Bearer {key}" in server.log[0].headers.values()
    assert all(b"very-secret" not in file.read_bytes() for file in tmp_path.iterdir())
