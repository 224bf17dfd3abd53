"""In which form an endpoint takes requests: found out once, step by step, and remembered."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel

from agents.asking import Asker, Reply
from agents.forms import Form, step_down
from agents.prompting import Prompt
from agents.replies import read_json
from records.errors import LLMUnreachableError, ReplyError
from records.ledger import Capabilities, Ledger
from tests.llm_server import Answer, LLMServer, Refusal


class Number(BaseModel):
    number: int


GOOD = '{"number": 7}'
SCHEMA = Number.model_json_schema()


def ask(asker: Asker, request: str = "A number?", *, logprobs: bool = False) -> Reply[Number]:
    prompt = Prompt(role="tester", system="You test.", request=request, hash="0" * 64)
    return asker.ask(prompt, read_json(Number), SCHEMA, logprobs=logprobs)


def refuse(message: str) -> Refusal:
    return Refusal(400, json.dumps({"error": {"message": message}}))


def forms(server: LLMServer) -> list[tuple[str, bool, bool]]:
    """Return of each request: its format, whether it asked for log-probabilities, whether it had a temperature."""
    return [read_form(request) for request in server.requests()]


def read_form(request: dict[str, Any]) -> tuple[str, bool, bool]:
    return request.get("response_format", {}).get("type", "none"), "logprobs" in request, "temperature" in request


def take_only(format: str, *, logprobs: bool = True, temperature: bool = True, says: str = "no"):
    """Script: an endpoint that takes this format and laxer ones, and refuses what else it does not know."""
    laxer = ("json_schema", "json_object", "none")
    taken = laxer[laxer.index(format) :]

    def script(request: dict[str, Any]) -> Answer:
        asked, with_logprobs, with_temperature = read_form(request)
        refused = asked not in taken or (with_logprobs and not logprobs) or (with_temperature and not temperature)
        return refuse(says) if refused else GOOD

    return script


@pytest.mark.parametrize(
    ("taken", "asked"),
    [("json_object", ["json_schema", "json_object"]), ("none", ["json_schema", "json_object", "none"])],
)
def test_a_format_that_is_refused_is_followed_by_a_laxer_one(connect, taken: str, asked: list[str]) -> None:
    asker, server = connect(take_only(taken))
    ask(asker)
    assert forms(server) == [(format, False, True) for format in asked]
    ask(asker, "Another?")
    assert forms(server)[len(asked) :] == [(taken, False, True)]


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Unsupported value: 'temperature' does not support 0", [("json_schema", True, False)]),
        ("logprobs are not supported by this model", [("json_schema", False, True)]),
        ("Extra inputs are not permitted: response_format", [("json_object", True, True)]),
        ("Bad request", [("json_schema", False, True)]),
        ("temperature, logprobs and response_format were echoed", [("json_schema", False, True)]),
    ],
)
def test_a_refusal_that_names_a_part_drops_it(connect, message: str, asked: list[tuple[str, bool, bool]]) -> None:
    asker, server = connect(lambda request: refuse(message) if len(server.log) == 0 else GOOD)
    ask(asker, logprobs=True)
    assert forms(server) == [("json_schema", True, True), *asked]


def test_an_unspecific_refusal_drops_one_part_after_another(connect) -> None:
    asker, server = connect(take_only("none", logprobs=False, temperature=False))
    assert ask(asker, logprobs=True).tokens == ()
    assert forms(server) == [
        ("json_schema", True, True),
        ("json_schema", False, True),
        ("json_object", False, True),
        ("none", False, True),
        ("none", False, False),
    ]


def test_a_request_that_is_refused_in_every_form_is_no_outage_and_teaches_nothing(connect, ledger: Ledger) -> None:
    asker, server = connect(lambda request: Refusal(400) if "long" in str(request["messages"]) else GOOD)
    with pytest.raises(ReplyError, match="refused a request"):
        ask(asker, "Too long.", logprobs=True)
    assert len(server.log) == 5
    assert ledger.find_capabilities(server.base_url, "test-model") is None
    ask(asker, logprobs=True)
    assert forms(server)[5:] == [("json_schema", True, True)]


def test_what_is_known_is_kept_for_the_next_process(connect, ledger: Ledger) -> None:
    script = take_only("json_object", logprobs=False, says="response_format json_schema is not known")
    asker, server = connect(script)
    ask(asker)
    known = ledger.find_capabilities(server.base_url, "test-model")
    assert known == Capabilities(format="json_object", temperature=True, logprobs=None)
    asked = len(server.log)
    asker.chat.__init__(asker.chat.target, ledger, asker.chat.terms)  # pyright: ignore
    ask(asker, "After a restart?")
    assert forms(server)[asked:] == [("json_object", False, True)]


def test_many_threads_find_the_form_out_once(connect) -> None:
    asker, server = connect(take_only("none"), concurrency=8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ask(asker, f"Number {number}?"), range(16)))
    assert [format for format, _, _ in forms(server)].count("json_schema") == 1
    assert len(server.log) == 2 + 16


def test_threads_do_not_wait_for_ever_for_a_first_answer_that_never_comes(connect) -> None:
    asker, _ = connect(lambda request: Refusal(401), concurrency=4)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, asker, f"Number {number}?") for number in range(4)]
        for one in asked:
            assert isinstance(one.exception(timeout=20), LLMUnreachableError)


def test_the_last_form_has_nothing_left_to_drop() -> None:
    bare = Form(format="none", logprobs=False, temperature=False)
    assert step_down(bare, "no") is None
    assert step_down(bare.model_copy(update={"temperature": True}), "response_format?") == bare
