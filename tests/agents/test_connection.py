"""What an endpoint cannot do: send rows on, keep a run waiting, have a key written down, end a run by odd numbers."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.asking import Asker, Reply
from agents.llm import TRIES
from agents.prompting import Prompt
from agents.replies import read_json
from agents.target import Terms, describe_llm, find_api_key
from agents.team import make_asker
from records.errors import LLMUnreachableError, ReplyError, SettingsError
from records.ledger import Ledger
from tests.agents.test_faults import GOOD, Number, ask, say
from tests.llm_server import Refusal, Said, serving

KEY = "sk-distinctive/4711-key"
PROMPT = Prompt(role="tester", system="You test.", request="A number?", hash="0" * 64)


def ask_whole(asker: Asker) -> Reply[Number]:
    return asker.ask(PROMPT, read_json(Number), Number.model_json_schema(), logprobs=True)


@pytest.mark.parametrize("status", [302, 307, 308])
def test_no_redirect_is_followed(connect, status: int) -> None:
    with serving(say(GOOD)) as other:
        place = f"{other.base_url}/chat/completions"
        asker, server = connect(say(Refusal(status, headers={"Location": place})))
        with pytest.raises(LLMUnreachableError, match="sends requests on to") as error:
            ask(asker)
    assert place in error.value.what
    assert "OPENAI_BASE_URL" in error.value.next_step
    assert (len(server.log), other.hits) == (1, 0)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_PROXY"])
def test_an_endpoint_on_this_machine_is_asked_without_a_proxy(connect, monkeypatch, variable: str) -> None:
    with serving(say(GOOD)) as proxy:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv(variable, proxy.base_url.removesuffix("/v1"))
        asker, server = connect(say(GOOD))
        assert ask(asker) == 7
        assert (len(server.log), proxy.hits) == (1, 0)


@pytest.fixture
def dripping() -> Iterator[str]:
    """The base URL of a server that sends a blank every tenth of a second, and never an answer."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            try:
                while not stopped.wait(0.1):
                    self.wfile.write(b" ")
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        stopped.set()
        server.shutdown()
        thread.join()


def test_an_answer_has_to_be_whole_in_time(ledger: Ledger, monkeypatch, dripping: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", dripping)
    target = describe_llm("openai:test-model")
    assert target is not None
    asker = make_asker(target, ledger, Terms(timeout=0.4, first_wait=0.01))
    started = time.monotonic()
    with pytest.raises(LLMUnreachableError, match="did not answer in time"):
        ask(asker)
    assert time.monotonic() - started < 20 * 0.4 * TRIES


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        KEY.replace("s", "\\u0073"),
        KEY.replace("-", "\\u002D"),
        KEY.replace("/", "\\/"),
    ],
    ids=["plain", "letters", "hyphens", "slash"],
)
def test_a_key_is_hidden_however_json_writes_it(connect, monkeypatch, ledger, said: str, tmp_path) -> None:
    asker, _ = connect(say(f'{{"number": 7, "note": "{said}"}}'))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    raw = ask_whole(asker).raw
    assert json.loads(raw) == {"number": 7, "note": "[key]"}


def test_a_key_is_hidden_in_the_word_that_ends_a_reply(connect, monkeypatch, tmp_path) -> None:
    asker, _ = connect(say(Said(GOOD, finish=KEY)))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ask(asker) == 7
    assert KEY.encode() not in (tmp_path / "ledger.sqlite").read_bytes()


def test_tokens_that_are_not_those_of_the_text_are_not_kept(connect, monkeypatch, tmp_path) -> None:
    asker, _ = connect(say(complete(logprobs={"content": [{"token": KEY, "logprob": -0.1, "bytes": None}]})))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ask_whole(asker).tokens == ()
    assert KEY.encode() not in (tmp_path / "ledger.sqlite").read_bytes()


def complete(logprobs: Any = None, usage: Any = None) -> Refusal:
    """Return a good completion of which one part is odd."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    choice["logprobs"] = logprobs
    return Refusal(200, json.dumps({**body, "usage": usage}))


def one_token(**parts: Any) -> dict[str, Any]:
    return {"content": [{"token": GOOD, "logprob": -0.1, "bytes": None, **parts}]}


@pytest.mark.parametrize(
    "answer",
    [
        complete(logprobs=one_token(logprob=None)),
        complete(logprobs=one_token(logprob="x")),
        complete(logprobs=one_token(logprob=float("nan"))),
        complete(logprobs=one_token(bytes=[300])),
        complete(logprobs=[1]),
        complete(logprobs={"content": 3}),
        complete(usage={"prompt_tokens": 5.5, "completion_tokens": 1, "total_tokens": 6}),
        complete(usage={"prompt_tokens": 10**30, "completion_tokens": 1, "total_tokens": 10**30}),
        complete(usage={"prompt_tokens": -4, "completion_tokens": 1, "total_tokens": 3}),
        complete(usage={"prompt_tokens": 4, "completion_tokens": -1, "total_tokens": 3}),
    ],
    ids=lambda answer: answer.body[-90:],
)
def test_odd_numbers_beside_a_reply_count_as_none(connect, ledger, answer: Refusal) -> None:
    asker, server = connect(say(answer))
    reply = ask_whole(asker)
    assert (reply.value.number, reply.tokens) == (7, ())
    assert len(server.log) == 1
    [spent] = ledger.spending()
    assert (spent.tokens_in, spent.tokens_out, spent.usd) == (None, None, None)


def test_a_key_that_can_be_none_is_refused_before_anything_is_sent(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example.org/v1")
    target = describe_llm("openai:m")
    assert target is not None
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    assert find_api_key(target) == KEY
    for odd in (f"“{KEY}”", f"{KEY}\nOPENAI_ORG=x"):
        monkeypatch.setenv("OPENAI_API_KEY", odd)
        with pytest.raises(SettingsError, match="OPENAI_API_KEY") as error:
            find_api_key(target)
        assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Refusal(402), LLMUnreachableError),
        (Refusal(429, json.dumps({"error": {"code": "insufficient_quota"}})), LLMUnreachableError),
        (Refusal(413), ReplyError),
        (Refusal(400, json.dumps({"error": {"code": "context_length_exceeded"}})), ReplyError),
    ],
)
def test_what_no_other_try_can_help_is_told_at_once(connect, answer: Refusal, error: type[Exception]) -> None:
    asker, server = connect(say(answer))
    with pytest.raises(error):
        ask(asker)
    assert len(server.log) == 1
