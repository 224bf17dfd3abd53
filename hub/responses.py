"""Turns an answer of the Hub's API into an HTTP response: status, headers, and a body that is read while it is sent."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub.api_error import ApiError
from hub.hub_api import FileAnswer, Reader, answer_request
from hub.paging import Page
from hub.repositories import RepositoryFile, RepositorySource

_CHUNK = 1 << 20


@dataclass(frozen=True)
class HubRequest:
    """One GET or HEAD: `target` is path and query as sent; names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class HubResponse:
    """What is sent: `length` is announced as Content-Length. A body that ends sooner ends the connection too."""

    status: int
    headers: Mapping[str, str]
    length: int
    body: Iterable[bytes]


def respond(source: RepositorySource, request: HubRequest, endpoint: str, tokens: Collection[str]) -> HubResponse:
    """Return the response of the Hub at `endpoint`; `tokens` are those that may read gated and private repositories."""
    parts = urlsplit(request.target)
    path = unquote(parts.path)
    try:
        answer = answer_request(source, path, parse_qs(parts.query), _recognise_reader(request, tokens))
    except ApiError as error:
        return _respond_error(error)
    if isinstance(answer, FileAnswer):
        return _respond_file(answer, request.headers.get("range"))
    if isinstance(answer, Page):
        following = f"<{endpoint}{parts.path}?{answer.next_query}>"
        return _respond_json(answer.items, {"Link": f'{following}; rel="next"'} if answer.next_query else {})
    return _respond_json(answer, {})


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


def _recognise_reader(request: HubRequest, tokens: Collection[str]) -> Reader:
    credentials = request.headers.get("authorization")
    if not credentials:
        return Reader.ANONYMOUS
    return Reader.MEMBER if credentials.removeprefix("Bearer ") in tokens else Reader.STRANGER


def _respond_error(error: ApiError) -> HubResponse:
    printable = "".join(one if " " <= one <= "~" else "?" for one in error.message)  # a header is one line of ASCII
    headers = {"X-Error-Message": printable} | ({"X-Error-Code": error.code} if error.code else {})
    return _respond_json({"error": error.message}, headers, error.status)


def _respond_json(value: Any, headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK) -> HubResponse:  # noqa: ANN401
    body = json.dumps(value, default=str).encode()
    return HubResponse(status, {"Content-Type": "application/json; charset=utf-8", **headers}, len(body), [body])


def _respond_file(answer: FileAnswer, wanted: str | None) -> HubResponse:
    size = answer.file.size
    headers = {
        "ETag": f'"{answer.file.etag}"',
        "X-Repo-Commit": answer.commit,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }
    if not wanted:
        return HubResponse(HTTPStatus.OK, headers, size, _read_span(answer.file, 0, size))
    span = parse_range(wanted, size)
    if span is None:
        return HubResponse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"}, 0, ())
    start, stop = span
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return HubResponse(HTTPStatus.PARTIAL_CONTENT, headers, stop - start, _read_span(answer.file, start, stop))


def _read_span(file: RepositoryFile, start: int, stop: int) -> Iterator[bytes]:
    with file.open() as stream:
        stream.seek(start)
        while start < stop and (chunk := stream.read(min(_CHUNK, stop - start))):
            yield chunk
            start += len(chunk)
