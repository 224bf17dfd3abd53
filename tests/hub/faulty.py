"""Faults of a Hub and of the way to it, for `HubServer(path, intercept=…)`.

Each is made for the requests whose target contains `where`, and happens to them `times` times, or always (None).

    HubServer(folder, intercept=too_many("/api/models", times=2, retry_after=1))
    HubServer(folder, intercept=in_turn(vanish("ann/tweet-sentiment", after=1), slow("safetensors", 10_000)))
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus

from hub.responses import HubRequest, HubResponse

Intercept = Callable[[HubRequest, HubResponse], HubResponse]


def too_many(where: str = "", *, times: int | None = None, retry_after: int = 1) -> Intercept:
    """The Hub answers 429 and says in how many seconds to ask again."""
    return _change(where, times, lambda *_: _refuse(HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(retry_after)}))


def server_error(where: str = "", *, times: int | None = None, status: int = 503) -> Intercept:
    """The Hub answers with an error of its own."""
    return _change(where, times, lambda *_: _refuse(status, {}))


def break_after(where: str, size: int, *, times: int | None = None) -> Intercept:
    """The connection ends after `size` bytes of a body that was announced whole."""
    return _change(where, times, lambda _, response: replace(response, body=_cut(response.body, size)), heads=False)


def slow(where: str, bytes_per_second: int, *, times: int | None = None) -> Intercept:
    """The body comes at this pace, in ten pieces a second."""
    return _change(
        where, times, lambda _, response: replace(response, body=_dribble(response.body, bytes_per_second)), heads=False
    )


def wrong_content(where: str, *, times: int | None = None) -> Intercept:
    """As many bytes as announced, under the announced hash, but others: each with its lowest bit turned."""

    def change(_: HubRequest, response: HubResponse) -> HubResponse:
        return replace(response, body=(bytes(byte ^ 1 for byte in chunk) for chunk in response.body))

    return _change(where, times, change, heads=False)


def cut_short(where: str, size: int, *, times: int | None = None) -> Intercept:
    """Only `size` bytes come, and just as many are announced with them: nothing but the hash and the facts tell."""

    def change(_: HubRequest, response: HubResponse) -> HubResponse:
        return replace(response, length=min(size, response.length), body=_cut(response.body, size))

    return _change(where, times, change, heads=False)


def redirect(where: str, origin: str, *, times: int | None = None) -> Intercept:
    """The file is to be had at another origin, as the Hub's large files are from its content network."""

    def change(request: HubRequest, response: HubResponse) -> HubResponse:
        if response.status >= HTTPStatus.BAD_REQUEST:
            return response
        headers = {name: value for name, value in response.headers.items() if name != "ETag"} | {
            "Location": f"{origin}{request.target}",
            "X-Linked-ETag": response.headers["ETag"],
            "X-Linked-Size": str(response.length),
        }
        return HubResponse(HTTPStatus.FOUND, headers, 0, ())

    return _change(where, times, change)


def vanish(where: str, *, after: int, code: str = "RepoNotFound") -> Intercept:
    """From the request after the first `after` on the repository is gone; with `RevisionNotFound`, the revision is."""
    gone = _change(where, None, lambda *_: _refuse(HTTPStatus.NOT_FOUND, {"X-Error-Code": code}))
    seen = _Counter()
    return lambda request, response: (
        gone(request, response) if where in request.target and seen.count() > after else response
    )


def in_turn(*intercepts: Intercept) -> Intercept:
    """Put several faults in a row: each gets what the one before it made of the response."""

    def intercept(request: HubRequest, response: HubResponse) -> HubResponse:
        for one in intercepts:
            response = one(request, response)
        return response

    return intercept


class _Counter:
    """Counts over all threads of the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def count(self) -> int:
        """Return how many times it was called, this time with it."""
        with self._lock:
            self._count += 1
            return self._count


def _change(where: str, times: int | None, change: Intercept, *, heads: bool = True) -> Intercept:
    """Return what changes matching responses; with `heads` False, HEAD requests pass and do not count."""
    seen = _Counter()

    def intercept(request: HubRequest, response: HubResponse) -> HubResponse:
        if where not in request.target or (request.method == "HEAD" and not heads):
            return response
        return change(request, response) if times is None or seen.count() <= times else response

    return intercept


def _refuse(status: int, headers: dict[str, str]) -> HubResponse:
    body = b'{"error": "a fault"}'
    return HubResponse(status, {"Content-Type": "application/json", **headers}, len(body), [body])


def _cut(body: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in body:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


def _dribble(body: Iterable[bytes], bytes_per_second: int) -> Iterator[bytes]:
    piece = max(bytes_per_second // 10, 1)
    for chunk in body:
        for start in range(0, len(chunk), piece):
            time.sleep(0.1)
            yield chunk[start : start + piece]
