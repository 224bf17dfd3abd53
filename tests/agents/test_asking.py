"""Asking over a real connection: fallbacks, repairs, failures, and the ledger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from agents.asking import Asker
from agents.prompting import Prompt
from agents.replies import read_json
from records.errors import LLMUnreachableError, ReplyError
from records.ledger import Ledger
from tests.llm_server import Answer, LLMServer, Refusal, serving

PROMPT = Prompt(role="tester", system="You test.", request="Give a number.", hash="0" * 64)
AT_ONCE = {"retry-after-ms": "1"}


class Number(BaseModel):
    number: int


def ask(asker: Asker) -> int:
    return asker.ask(PROMPT, read_json(Number), Number.model_json_schema()).value.number


def say(*answers: Answer):
    """Script: one answer after another; the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def formats(server: LLMServer) -> list[str]:
    return [request.get("response_format", {}).get("type", "none") for request in server.requests()]


@pytest.mark.parametrize(
    "reply",
    [
        '{"number": 7}',
        '<think>{"number": 1}, or rather 7?</think>\n{"number": 7}',
        'The template left the opening tag out.</think>{"number": 7}',
        'Here you are:\n```json\n{"number": 7}\n```\nAnything else?',
        '```\n{"number": 7}\n```',
        'It is {"number": 7}, I {think}.',
    ],
)
def test_the_object_is_found_in_the_reply(connect, reply: str) -> None:
    asker, server = connect(say(reply))
    assert ask(asker) == 7
    assert formats(server) == ["json_schema"]


@pytest.mark.parametrize(
    ("taken", "asked"),
    [("json_object", ["json_schema", "json_object"]), ("none", ["json_schema", "json_object", "none"])],
)
def test_a_server_that_refuses_a_format_is_asked_in_a_laxer_one(connect, taken: str, asked: list[str]) -> None:
    def script(request: dict) -> Answer:
        return '{"number": 7}' if request.get("response_format", {}).get("type", "none") == taken else Refusal(400)

    asker, server = connect(script)
    assert ask(asker) == 7
    assert formats(server) == asked
    asker.ask(PROMPT.model_copy(update={"request": "Another."}), read_json(Number), Number.model_json_schema())
    assert formats(server)[len(asked) :] == [taken]


@pytest.mark.parametrize("bad", ["", "seven", '{"number": 7', '{"number": "many"}', "<think>I never stop", "[7]"])
def test_an_unusable_reply_is_asked_for_again_with_its_error(connect, bad: str) -> None:
    asker, server = connect(say(bad, '{"number": 7}'))
    assert ask(asker) == 7
    first, second = (request["messages"] for request in server.requests())
    assert second[:2] == first
    assert second[-1]["role"] == "user"
    assert "could not be used" in second[-1]["content"]


def test_after_three_unusable_replies_it_gives_up(connect) -> None:
    asker, server = connect(say('{"number": "many"}'))
    with pytest.raises(ReplyError, match="number: Input should be a valid integer"):
        ask(asker)
    assert len(server.log) == 3


def test_what_was_asked_is_never_sent_again(connect, ledger: Ledger) -> None:
    asker, server = connect(say("no", '{"number": 7}'))
    assert ask(asker) == 7
    assert len(server.log) == 2
    again, silent = connect(say(Refusal(500)))
    assert ask(again) == 7
    assert silent.log == []
    (spent,) = ledger.spending()
    assert (spent.role, spent.model, spent.requests) == ("tester", "test-model", 2)
    assert spent.tokens_in > 0
    assert spent.tokens_out == 1 + 2


def test_another_schema_is_another_question(connect) -> None:
    asker, server = connect(say('{"number": 7}'))
    ask(asker)
    asker.ask(PROMPT, read_json(Number), {"type": "object"})
    assert len(server.log) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_waited_out(connect, status: int) -> None:
    asker, server = connect(say(Refusal(status, headers=AT_ONCE), '{"number": 7}'))
    assert ask(asker) == 7
    assert len(server.log) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Refusal(429, headers=AT_ONCE), "429"),
        (Refusal(502, headers=AT_ONCE), "502"),
        (Refusal(401), "OPENAI_API_KEY"),
        (Refusal(404), "no model 'test-model'"),
        (Refusal(200, "<html>A portal</html>", {"Content-Type": "text/html"}), "not answer with a chat completion"),
        (Refusal(200, "garbage"), "not answer with a chat completion"),
        (Refusal(200, '{"choices": []}'), "not answer with a chat completion"),
        (Refusal(200, '{"error": {"message": "overloaded"}}'), "overloaded"),
    ],
)
def test_an_endpoint_that_does_not_serve_is_an_infrastructure_error(connect, ledger, answer, told: str) -> None:
    asker, _ = connect(say(answer))
    with pytest.raises(LLMUnreachableError) as error:
        ask(asker)
    assert told in str(error.value)
    assert "127.0.0.1" in error.value.what
    assert ledger.spending() == ()


def test_a_silent_endpoint_times_out(connect) -> None:
    asker, _ = connect(say(Refusal(500, delay=1.0)), timeout=0.1, max_retries=0)
    with pytest.raises(LLMUnreachableError, match="did not answer in time"):
        ask(asker)


def test_a_closed_port_cannot_be_reached(connect) -> None:
    asker, server = connect(say('{"number": 7}'), max_retries=0)
    server.stop()
    with pytest.raises(LLMUnreachableError, match="cannot be reached"):
        ask(asker)


def test_a_request_that_is_refused_in_every_format_is_no_outage(connect) -> None:
    asker, server = connect(say(Refusal(400)))
    with pytest.raises(ReplyError, match="refused a request"):
        ask(asker)
    assert formats(server) == ["json_schema", "json_object", "none"]


def test_no_trace_goes_anywhere_even_where_tracing_is_on(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from agents.prompting import Prompt\n"
        "from agents.target import describe_llm\n"
        "from agents.team import make_asker\n"
        "from records.ledger import Ledger\n"
        "prompt = Prompt(role='r', system='s', request='q', hash='')\n"
        "asker = make_asker(describe_llm('openai:m'), Ledger(Path('ledger.sqlite').absolute()))\n"
        "print(asker.ask(prompt, str).value)\n"
    )
    with serving(say("hello")) as llm, serving(say("never")) as tracer:
        tracing = dict.fromkeys(("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"), "true")
        endpoint = tracer.base_url.removesuffix("/v1")
        environment = {
            **os.environ,
            **tracing,
            "LANGSMITH_ENDPOINT": endpoint,
            "LANGSMITH_API_KEY": "none",
            "OPENAI_BASE_URL": llm.base_url,
            "PYTHONPATH": str(Path.cwd()),
        }
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.stdout == "hello\n", done.stderr
        assert len(llm.log) == 1
        assert tracer.log == []
        assert tracer.hits == 0


def test_requests_are_plain_chat_requests(connect) -> None:
    asker, server = connect(say('{"number": 7}'))
    ask(asker)
    (request,) = server.requests()
    assert request["model"] == "test-model"
    assert request["temperature"] == 0
    assert request["messages"] == [
        {"role": "system", "content": "You test."},
        {"role": "user", "content": "Give a number."},
    ]
    assert json.loads(json.dumps(request["response_format"]))["json_schema"]["schema"]["required"] == ["number"]
