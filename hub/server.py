"""Serves a folder of model repositories over HTTP as the Hub does, so that `huggingface_hub` works against it.

Answered are: the list of models, one model's facts, its tree, and its files. There is one commit a repository.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

from hub.hub_api import ApiError, FileAnswer, answer_request
from hub.repositories import RepositoryFolder

_CHUNK = 1 << 20


@dataclass(frozen=True)
class ServedRequest:
    """One answered request. `authorised` tells whether it carried credentials; they are not kept."""

    method: str
    target: str
    status: int
    user_agent: str
    authorised: bool


class HubServer:
    """A Hub over HTTP: `with HubServer(folder) as server: server.url`. Port 0 takes a free one.

    `on_request` is called after each answer, from the thread that gave it.
    """

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[ServedRequest], None] | None = None,
    ) -> None:
        self._http = _HubHTTPServer((host, port), RepositoryFolder(folder), on_request)
        self._thread = threading.Thread(target=self._http.serve_forever, name="hub-server", daemon=True)

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
        repositories: RepositoryFolder,
        on_request: Callable[[ServedRequest], None] | None,
    ) -> None:
        super().__init__(address, _Handler)
        self.repositories = repositories
        self.on_request = on_request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "AutoAnnotatorHub"
    timeout = 60

    @property
    def _hub(self) -> _HubHTTPServer:
        return cast(_HubHTTPServer, self.server)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        try:
            answer = answer_request(self._hub.repositories, unquote(parts.path), parse_qs(parts.query))
        except ApiError as error:
            self._send_error(error)
            return
        if isinstance(answer, FileAnswer):
            self._send_file(answer)
        else:
            self._send_bytes(HTTPStatus.OK, json.dumps(answer, default=str).encode(), {})

    do_HEAD = do_GET

    def _send_error(self, error: ApiError) -> None:
        printable = "".join(one if " " <= one <= "~" else "?" for one in error.message)  # a header is one line of ASCII
        headers = {"X-Error-Message": printable}
        if error.code:
            headers["X-Error-Code"] = error.code
        self._send_bytes(error.status, json.dumps({"error": error.message}).encode(), headers)

    def _send_bytes(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self._send_head(status, len(body), {"Content-Type": "application/json; charset=utf-8", **headers})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, answer: FileAnswer) -> None:
        size = answer.file.size
        headers = {
            "ETag": f'"{answer.file.etag}"',
            "X-Repo-Commit": answer.commit,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        wanted = self.headers.get("Range")
        span = parse_range(wanted, size) if wanted else (0, size)
        if span is None:
            self._send_head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, {"Content-Range": f"bytes */{size}"})
            return
        start, stop = span
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._send_head(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK, stop - start, headers)
        if self.command != "HEAD":
            self._copy(answer.file.location, start, stop)

    def _copy(self, location: Path, start: int, stop: int) -> None:
        with location.open("rb") as stream:
            stream.seek(start)
            while start < stop and (chunk := stream.read(min(_CHUNK, stop - start))):
                self.wfile.write(chunk)
                start += len(chunk)

    def _send_head(self, status: HTTPStatus, length: int, headers: dict[str, str]) -> None:
        self._report(status)
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _report(self, status: int) -> None:
        if self._hub.on_request is not None:
            agent = self.headers.get("User-Agent", "")
            authorised = "Authorization" in self.headers
            self._hub.on_request(ServedRequest(self.command, self.path, int(status), agent, authorised))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal: `on_request` is the log."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return first byte and the byte after the last of a `Range` header, or None where it cannot be satisfied."""
    unit, _, span = header.partition("=")
    first, dash, last = span.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdigit():
        return None
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None
