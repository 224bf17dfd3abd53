"""A scripted server that speaks `/v1/chat/completions` on loopback, and remembers every request.

A test gives it a function from the request (a dict, as sent) to the reply's text, or to another `Answer`. Faults that
make a good script a bad one are in `tests.faults`.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """An answer that is no completion: a status, and the body as sent (an OpenAI error object by default)."""

    status: int
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before it is sent."""


@dataclass(frozen=True)
class Said:
    """A completion of which more than the text matters."""

    text: str | None
    finish: str | None = "stop"
    refusal: str | None = None
    counted: bool = True
    """Whether its tokens are counted."""


@dataclass(frozen=True)
class Broken:
    """A connection that is reset: before anything is sent, or in the middle of the body."""

    sends: str = ""


Answer = str | Said | Refusal | Broken
Script = Callable[[dict[str, Any]], Answer]


@dataclass(frozen=True)
class Exchange:
    """One request as it came, and what it was answered with."""

    request: dict[str, Any]
    headers: dict[str, str]
    answer: Answer


class LLMServer:
    """The running server: its address, and `log`, what was asked so far, in the order of the answers.

    With `logprobs`, from a token's text to its log-probability, it gives the tokens of a reply to whoever asks: words,
    white spaces and signs.
    """

    def __init__(self, script: Script, *, logprobs: Callable[[str], float] | None = None) -> None:
        self.script = script
        self.logprobs = logprobs
        self.log: list[Exchange] = []
        self.sent: dict[str, str] = {}
        """The headers of the request that is being answered, by their names in lower case."""
        self.hits = 0
        """Requests of any kind, those that are no chat request too."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (ScriptedHandler,), {"scripted": self}))
        self._server.daemon_threads = True

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def requests(self) -> list[dict[str, Any]]:
        with self._lock:
            return [exchange.request for exchange in self.log]

    def record(self, exchange: Exchange) -> None:
        with self._lock:
            self.log.append(exchange)

    def count_hit(self) -> None:
        with self._lock:
            self.hits += 1

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(script: Script, *, logprobs: Callable[[str], float] | None = None) -> Iterator[LLMServer]:
    """Run a scripted server for the length of the block."""
    server = LLMServer(script, logprobs=logprobs)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


class ScriptedHandler(BaseHTTPRequestHandler):
    scripted: LLMServer
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        self.scripted.count_hit()
        return super().parse_request()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.scripted.sent = {name.lower(): value for name, value in self.headers.items()}
        known = self.path == "/v1/chat/completions"
        answer = self.scripted.script(request) if known else Refusal(404)
        self.scripted.record(Exchange(request, dict(self.headers), answer))
        self._answer(request, Said(answer) if isinstance(answer, str) else answer)

    def _answer(self, request: dict[str, Any], answer: Said | Refusal | Broken) -> None:
        if isinstance(answer, Refusal):
            time.sleep(answer.delay)
            error = json.dumps({"error": {"message": f"scripted {answer.status}", "type": "scripted"}})
            self._send(answer.status, error if answer.body is None else answer.body, answer.headers)
        elif isinstance(answer, Broken):
            self._break(answer.sends)
        else:
            self._send(200, json.dumps(complete(request, answer, self.scripted.logprobs)), {})

    def _break(self, sends: str) -> None:
        if sends:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(sends) + 100}\r\n\r\n"
            self.wfile.write((head + sends).encode())
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _send(self, status: int, body: str, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())
        except ConnectionError:
            self.close_connection = True  # the client gave up waiting, as some tests mean it to

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output quiet; `log` holds the requests."""


def complete(request: dict[str, Any], said: Said, logprobs: Callable[[str], float] | None) -> dict[str, Any]:
    words_in = sum(len(message["content"].split()) for message in request["messages"])
    words_out = len((said.text or "").split())
    usage = {"prompt_tokens": words_in, "completion_tokens": words_out, "total_tokens": words_in + words_out}
    message = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    tokens = None
    if logprobs is not None and request.get("logprobs"):
        texts = re.findall(r"\s+|\w+|[^\w\s]", said.text or "")
        tokens = [
            {"token": text, "logprob": logprobs(text), "bytes": list(text.encode()), "top_logprobs": []}
            for text in texts
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": said.finish,
                "message": message,
                "logprobs": {"content": tokens} if tokens is not None else None,
            }
        ],
        **({"usage": usage} if said.counted else {}),
    }


def read_role(request: dict[str, Any]) -> str:
    """Return the role that a request of our agents plays: the name of its folder of prompts."""
    found = re.match(r"You are the (\w+) of an annotation team", request["messages"][0]["content"])
    if found is None:
        raise ValueError(f"no role in {request['messages'][0]['content'][:100]!r}")
    return found[1]


ALWAYS: dict[str, dict[str, Any]] = {
    "critic": {"approved": True, "reasons": []},
    "result_critic": {"action": "go_on", "evidence": ["stage.unanimous"], "reason": "Nothing stands out."},
    "test_writer": {"cases": [{"text": text, "why": "an odd row"} for text in ("", "@you", "🙂", "é")]},
}
"""What a role that plays well says whatever it is asked."""


def play_team(
    labels: Sequence[str],
    label_of: Callable[[str], str | Sequence[str]],
    class_of: Callable[[str], str | None],
    column: str = "text",
) -> Script:
    """Return a script that plays every role well: `label_of` labels a text, `class_of` reads the name of a class."""

    def play_analyst(request: dict[str, Any]) -> dict[str, Any]:
        described = [{"name": label, "definition": f"It is {label}.", "example": f"So {label}!"} for label in labels]
        return {"kind": "single_label", "labels": described, "text_columns": [column], "language": "en"}

    def play_selector(request: dict[str, Any]) -> dict[str, Any]:
        choice = {"use": "yes", "probability": 0.9, "reason": "It fits."}
        return {"choices": [{"id": shown["id"], **choice} for shown in read_data(request)]}

    def play_crawler(request: dict[str, Any]) -> dict[str, Any]:
        if '"queries"' in request["messages"][1]["content"]:
            return {"queries": ["classification"]}
        return {"acts": [{"action": "stop", "reason": "That is enough."}]}

    def play_coder(request: dict[str, Any]) -> str:
        model = next(shown for shown in read_data(request) if "card" in shown)
        classes = {index: class_of(name) for index, name in model["classes"].items()}
        return f"```json\n{json.dumps({'classes': classes, 'reason': 'By name.'})}\n```"

    told = {"analyst": play_analyst, "crawler": play_crawler, "selector": play_selector}

    def play(request: dict[str, Any]) -> Answer:
        match read_role(request):
            case "reviewer":
                return answer_rows(request, label_of)
            case "coder":
                return play_coder(request)
            case role:
                return json.dumps(told[role](request) if role in told else ALWAYS[role])

    return play


def read_data(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the data that a request quotes, each a line of JSON with a name."""
    lines = request["messages"][1]["content"].splitlines()
    return [json.loads(line) for line in lines if line.startswith(('{"id": ', '{"name": '))]


def read_rows(request: dict[str, Any]) -> dict[str, str]:
    """Return the texts (id → text) that a request to the reviewer holds; of pairs both, a line each."""
    names = ("text", "text_a", "text_b")
    return {row["id"]: "\n".join(row[name] for name in names if name in row) for row in read_data(request)}


def answer_rows(request: dict[str, Any], label_of: Callable[[str], str | Sequence[str]]) -> str:
    """Return the reviewer's reply in which every text has the label, or the set of labels, that `label_of` gives it."""

    def say(text: str) -> dict[str, Any]:
        said = label_of(text)
        return {"label": said} if isinstance(said, str) else {"labels": list(said)}

    return json.dumps({"answers": [{"id": key, **say(text), "sure": 0.9} for key, text in read_rows(request).items()]})
