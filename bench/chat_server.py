"""Serves a function as a chat model on loopback, in the protocol of OpenAI's chat completions."""

import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

HOST = "127.0.0.1"
CHARACTERS_PER_TOKEN = 4.0
"""The usual rule for English: no tokenizer is the right one for every endpoint, and what is measured are ratios."""
_PATH = "/v1/chat/completions"
_POLL_SECONDS = 0.02

Messages = Sequence[dict[str, str]]
"""Each with a `role` and its `content`."""


class CannotAnswerError(ValueError):
    """The function has no answer to these messages: the client is told so with status 400."""


@dataclass(frozen=True)
class Usage:
    """What was answered so far; tokens are characters divided by four, each request's rounded up."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class ChatServer:
    """A chat model over HTTP: `with ChatServer(reply) as server: server.url`. Port 0 takes a free one.

    `reply` gives the text that is said to the messages, and may raise CannotAnswerError; threads call it at once.
    Raises OSError where the port is taken, OverflowError where it is none.
    """

    def __init__(self, reply: Callable[[Messages], str], port: int = 0) -> None:
        self._reply = reply
        self._usage = Usage()
        self._lock = threading.Lock()
        self._http = _ChatHTTPServer((HOST, port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(_POLL_SECONDS,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, with its version."""
        return f"http://{HOST}:{self._http.server_address[1]}/v1"

    @property
    def usage(self) -> Usage:
        with self._lock:
            return self._usage

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the completion of a request. Raises CannotAnswerError, and KeyError or TypeError for what is none."""
        messages = request["messages"]
        said = self._reply(messages)
        tokens_in = _count_tokens(sum(len(message["content"]) for message in messages))
        tokens_out = _count_tokens(len(said))
        with self._lock:
            used = self._usage
            self._usage = Usage(used.requests + 1, used.tokens_in + tokens_in, used.tokens_out + tokens_out)
        message = {"role": "assistant", "content": said, "refusal": None}
        return {
            "id": "chatcmpl-simulated",
            "object": "chat.completion",
            "created": 0,
            "model": request["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }


def _count_tokens(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


class _ChatHTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], chat: ChatServer) -> None:
        super().__init__(address, _Handler)
        self.chat = chat


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Buffered, so that head and body are one packet: a second small one would wait for the first's receipt."""
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != _PATH:
            self._send(404, _describe_error(f"there is no {self.path} here, only {_PATH}"))
            return
        try:
            completion = cast(_ChatHTTPServer, self.server).chat.complete(json.loads(body))
        except (ValueError, KeyError, TypeError, LookupError) as error:
            self._send(400, _describe_error(f"{type(error).__name__}: {error}"))
            return
        self._send(200, completion)

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True  # the client gave up waiting

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is in the client's ledger."""


def _describe_error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
