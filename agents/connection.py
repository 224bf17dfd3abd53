"""The connection to an endpoint: straight to it, nowhere else, and no answer without an end."""

import time
from collections.abc import Iterator

import httpx2

from agents.target import LLMTarget

_DEADLINE = "autoannotator.deadline"


class _BoundedStream(httpx2.SyncByteStream):
    """A body that has to be whole by a deadline: servers that keep a line open send a blank now and then."""

    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request) -> None:
        self._stream = stream
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if time.monotonic() > self._request.extensions[_DEADLINE]:
                raise httpx2.ReadTimeout("the answer took too long", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()


def open_client(target: LLMTarget, timeout: float) -> httpx2.Client:
    """Return a client that has each answer whole within `timeout` seconds of its request, and follows no redirect:
    the person agreed to this host and no other. An endpoint on this machine is asked without a proxy.
    """

    def begin(request: httpx2.Request) -> None:
        request.extensions[_DEADLINE] = time.monotonic() + timeout

    def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _BoundedStream(response.stream, response.request)

    return httpx2.Client(
        timeout=timeout,
        follow_redirects=False,
        trust_env=not target.is_loopback,
        event_hooks={"request": [begin], "response": [bound]},
    )
