"""Serves model repositories over HTTP as the Hub does, so that `huggingface_hub` works against it.

Answered are: lists of models and of collections, one model's or collection's facts, its tree, and its files.
"""

import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from hub.catalogue import Catalogue
from hub.repositories import RepositorySource
from hub.repository_folder import RepositoryFolder
from hub.responses import HubRequest, HubResponse, respond

_POLL_SECONDS = 0.05  # how long it may take to stop


@dataclass(frozen=True)
class ServedRequest:
    """One answered request. `authorised` tells whether it carried credentials; they are not kept."""

    method: str
    target: str
    status: int
    user_agent: str
    authorised: bool


def open_source(path: Path) -> RepositorySource:
    """Return the repositories at `path`: a folder `owner/name/`, or a catalogue, a file of JSON lines.

    Raises DataError where the catalogue or the folder's side file is malformed.
    """
    return RepositoryFolder(path) if path.is_dir() else Catalogue(path)


class HubServer:
    """A Hub over HTTP: `with HubServer(path) as server: server.url`. Port 0 takes a free one.

    `path` is a folder of repositories or a catalogue; `tokens` are those that may read what is gated or private.
    `on_request` is called with each request that was answered, and `intercept`, before that, with each request and
    the response that it would get: it returns the one to send. Both run in the thread that answers.
    """

    def __init__(
        self,
        path: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[ServedRequest], None] | None = None,
        *,
        tokens: Collection[str] = (),
        intercept: Callable[[HubRequest, HubResponse], HubResponse] | None = None,
    ) -> None:
        source = open_source(path)

        def answer(request: HubRequest) -> HubResponse:
            endpoint = f"http://{request.headers.get('host') or self.url.removeprefix('http://')}"
            response = respond(source, request, endpoint, tokens)
            return intercept(request, response) if intercept is not None else response

        self._http = _HubHTTPServer((host, port), answer, on_request)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_SECONDS,), name="hub-server", daemon=True
        )

    @property
    def url(self) -> str:
        """The endpoint to give to a Hub client, without a slash at its end."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _HubHTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[HubRequest], HubResponse],
        on_request: Callable[[ServedRequest], None] | None,
    ) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.on_request = on_request

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of a connection that the client gave up; show every other failure."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "AutoAnnotatorHub"
    timeout = 60
    disable_nagle_algorithm = True  # head and body are two writes: without it a client waits 40 ms for the second

    @property
    def _hub(self) -> _HubHTTPServer:
        return cast(_HubHTTPServer, self.server)

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self._hub.answer(HubRequest(self.command, self.path, headers))
        self._report(response.status)
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(response.length)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        for chunk in response.body:
            self.wfile.write(chunk)
            sent += len(chunk)
        if sent != response.length:
            self.close_connection = True  # the client must not take what comes next for the rest of this body

    do_HEAD = do_GET

    def _report(self, status: int) -> None:
        if self._hub.on_request is not None:
            agent = self.headers.get("User-Agent", "")
            authorised = "Authorization" in self.headers
            self._hub.on_request(ServedRequest(self.command, self.path, int(status), agent, authorised))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal: `on_request` is the log."""
