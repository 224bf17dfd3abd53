"""Asking over a real connection: fallbacks, repairs, failures, and the ledger."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agents.asking import Asker, TokenLogprob
from agents.prompting import Prompt
from agents.received import read_tokens
from agents.replies import read_json
from records.errors import LLMUnreachableError, ReplyError
from records.ledger import Ledger
from tests.llm_server import Answer, LLMServer, Refusal, Said, serving

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


def read_answers(ledger_file: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(ledger_file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM answers ORDER BY created, rowid")]


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


def test_what_failed_is_replayed_and_fails_again(connect) -> None:
    asker, server = connect(say("no", "no", "no", '{"number": 7}'))
    for _ in range(2):
        with pytest.raises(ReplyError, match="no valid JSON object"):
            ask(asker)
    assert len(server.log) == 3


def test_what_failed_is_asked_afresh_where_it_would_end_the_run(connect, tmp_path: Path) -> None:
    asker, server = connect(say(*["no"] * 6, '{"number": 7}'))
    for asked in (3, 6):
        with pytest.raises(ReplyError, match="in 3 attempts"):
            asker.ask(PROMPT, read_json(Number), afresh=True)
        assert len(server.log) == asked
    for _ in range(2):
        assert asker.ask(PROMPT, read_json(Number), afresh=True).value.number == 7
    assert len(server.log) == 7
    sent = [request["messages"] for request in server.requests()]
    assert sent[:3] == sent[3:6]
    assert sent[6] == sent[0]
    rounds = [json.loads(one["request"]).get("round") for one in read_answers(tmp_path / "ledger.sqlite")]
    assert rounds == [None] * 3 + [1] * 3 + [2]


def test_what_was_asked_is_never_sent_again(connect, ledger: Ledger) -> None:
    asker, server = connect(say("no", '{"number": 7}'))
    assert ask(asker) == 7
    assert len(server.log) == 2
    again, silent = connect(say(Refusal(500)))
    assert ask(again) == 7
    assert silent.log == []
    (spent,) = ledger.spending()
    assert spent.tokens_in is not None
    assert (spent.role, spent.model, spent.requests) == ("tester", "test-model", 2)
    assert spent.tokens_in > 0
    assert spent.tokens_out == 1 + 2


def test_what_one_endpoint_answered_no_other_is_asked(connect, ledger: Ledger) -> None:
    asker, _ = connect(say('{"number": 7}'), price=(1.0, 2.0))
    ask(asker)
    other, silent = connect(say('{"number": 8}'))
    assert ask(other) == 7
    assert silent.hits == 0
    (spent,) = ledger.spending()
    assert spent.usd == pytest.approx((5 * 1.0 + 2 * 2.0) / 1e6)


def test_an_exchange_is_recorded_with_all_that_is_known_of_it(connect, tmp_path: Path) -> None:
    asker, server = connect(say(Refusal(503, headers=AT_ONCE), '{"number": 7}'), price=(1.0, 1.0))
    ask(asker)
    (answer,) = read_answers(tmp_path / "ledger.sqlite")
    assert json.loads(answer["sampling"]) == {"temperature": 0, "response_format": "json_schema"}
    assert (answer["endpoint"], answer["finish"], answer["attempt"]) == (server.base_url, "stop", 2)
    assert 0 < answer["latency"] < 5
    assert (answer["reply"], answer["logprobs"]) == ('{"number": 7}', None)
    assert json.loads(answer["request"])["messages"] == server.requests()[0]["messages"]


def test_without_counted_tokens_the_price_is_not_known(connect, ledger: Ledger) -> None:
    asker, _ = connect(say(Said('{"number": 7}', counted=False)), price=(1.0, 1.0))
    ask(asker)
    (spent,) = ledger.spending()
    assert (spent.requests, spent.tokens_in, spent.tokens_out, spent.usd) == (1, None, None, None)


def test_the_tokens_of_a_reply_are_kept_with_it(connect) -> None:
    asker, server = connect(say('<think>é…</think> {"number": 7}'), logprobs=lambda text: -len(text) / 10)
    schema = Number.model_json_schema()
    first = asker.ask(PROMPT, read_json(Number), schema, logprobs=True)
    again = asker.ask(PROMPT, read_json(Number), schema, logprobs=True)
    assert first == again
    assert "".join(token.text for token in first.tokens) == first.raw == '<think>é…</think> {"number": 7}'
    assert {token.text: token.logprob for token in first.tokens}["number"] == -0.6
    assert len(server.log) == 1
    assert server.requests()[0]["logprobs"] is True


def test_tokens_that_split_a_character_are_put_together() -> None:
    parts = [{"token": "?", "logprob": -0.25, "bytes": [byte]} for byte in "é".encode()]
    assert read_tokens({"content": [*parts, {"token": "a", "logprob": -0.1, "bytes": None}]}) == (
        TokenLogprob(text="é", logprob=-0.5),
        TokenLogprob(text="a", logprob=-0.1),
    )


def test_a_text_that_cannot_be_sent_as_it_is_is_sent_all_the_same(connect) -> None:
    asker, server = connect(say('{"number": 7, "note": "\ud800"}'))
    prompt = PROMPT.model_copy(update={"request": "A lone \ud800 surrogate."})
    assert asker.ask(prompt, read_json(Number)).raw == '{"number": 7, "note": "?"}'
    assert server.requests()[0]["messages"][1]["content"] == "A lone ? surrogate."


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
        (Refusal(403), "OPENAI_API_KEY"),
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
    asker, _ = connect(say(Refusal(500, delay=1.0)), timeout=0.1)
    with pytest.raises(LLMUnreachableError, match="did not answer in time"):
        ask(asker)


def test_a_closed_port_cannot_be_reached(connect) -> None:
    asker, server = connect(say('{"number": 7}'))
    server.stop()
    with pytest.raises(LLMUnreachableError, match="cannot be reached"):
        ask(asker)


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
    assert "logprobs" not in request
    assert request["messages"] == [
        {"role": "system", "content": "You test."},
        {"role": "user", "content": "Give a number."},
    ]
    assert json.loads(json.dumps(request["response_format"]))["json_schema"]["schema"]["required"] == ["number"]
