"""Asks a Hub over HTTP: counted, with a time limit, tried again where that may help, and with failures in our words."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

from httpx2 import (
    HTTPError,
    InvalidURL,
    NetworkError,
    RemoteProtocolError,
    Response,
    Timeout,
    TimeoutException,
)
from huggingface_hub import get_token
from huggingface_hub.errors import (
    DisabledRepoError,
    HfHubHTTPError,
    HFValidationError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status, parse_ratelimit_headers
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_any, stop_before_delay

from hub.library import COUNTED, EMBEDDED, is_configured_hub, is_offline, silence_hub_library
from records.errors import HubStatusError, HubUnreachableError, RequestsSpentError

GONE = (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError, DisabledRepoError)
"""The Hub answered that the repository, the commit or the file cannot be had: removed, closed, or never there."""
BROKEN = (TimeoutException, NetworkError, RemoteProtocolError)
"""The connection failed, and another one may not."""
TellPause = Callable[[float, str], None]
"""Called before a pause with its seconds and its reason."""

_NO_ANSWER = (HfHubHTTPError, HTTPError, InvalidURL, ConnectionError, HFValidationError)
_PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_TIMEOUT = Timeout(20.0, connect=10.0)
_ANSWER_LIMIT = 50_000_000
_ATTEMPTS = 6
_PATIENCE = 600.0
_LONGEST_ANSWER = 120.0
"""Seconds that the body of one answer may take in all, downloads of weights apart."""
_LONGEST_STEP = 30.0
_WORTH_TELLING = 2.0
_T = TypeVar("_T")


class HubConnection:
    """The way to the Hub at `endpoint`; `requests` counts those made, redirects and repetitions too.

    A request is tried again after 408, 429, 5xx and, once the Hub has answered at all, after a broken connection: six
    times and for ten minutes at most, as long apart as the Hub asks for. A Hub that never answered fails at once.
    `embedded`: the hub runs inside this program, and is no network.
    """

    def __init__(self, endpoint: str, *, embedded: bool = False, tell: TellPause | None = None) -> None:
        silence_hub_library()
        self.endpoint = endpoint
        self._embedded = embedded
        self._tell = tell
        self._answered = False
        self._lock = threading.Lock()
        self._requests = 0
        self._allowed: int | None = None
        self._made_before = 0

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self._requests

    @property
    def offline(self) -> bool:
        """Whether no request may be made."""
        return is_offline() and not self._embedded

    @contextmanager
    def allow(self, requests: int) -> Iterator[None]:
        """Let at most so many requests be made in the block, redirects and repetitions too: a further one raises
        RequestsSpentError instead."""
        self._allowed, self._made_before = requests, self._requests
        try:
            yield
        finally:
            self._allowed = None

    def get_json(self, path: str, params: Mapping[str, Any]) -> object:
        """Return the JSON at a path. Raises one of GONE, and HubUnreachableError and RequestsSpentError as `retry`
        does."""
        content = self.get_bytes(path, params, limit=_ANSWER_LIMIT)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as failure:
            raise self.explain("it sent no JSON") from failure

    def get_bytes(self, path: str, params: Mapping[str, Any] | None = None, *, limit: int) -> bytes:
        """Return the body at a path, of at most `limit` bytes. Raises as `get_json` does."""

        def read() -> bytes:
            content, end = bytearray(), time.monotonic() + _LONGEST_ANSWER
            with self.open(path, params) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > limit:
                        raise self.explain(f"more than {limit:,} bytes came from {path}")
                    if time.monotonic() > end:
                        raise self.explain(f"{path} took longer than {_LONGEST_ANSWER:.0f} seconds")
            return bytes(content)

        return self.retry(read)

    @contextmanager
    def open(
        self, path: str, params: Mapping[str, Any] | None = None, *, start: int = 0, plain: bool = False
    ) -> Iterator[Response]:
        """Yield the answer to one GET, its body unread; from byte `start` on where the server can do that.

        `plain` asks for the bytes as they are, not compressed. Raises what the library raises; see `retry`.
        """
        if self.offline:
            raise HubUnreachableError(
                f"HF_HUB_OFFLINE forbids to ask the Hub at {self.endpoint} for {path}.",
                next_step="Unset HF_HUB_OFFLINE, or use the models that come with this program: --hub starter",
            )
        headers = build_hf_headers(token=None if is_configured_hub(self.endpoint) else False)
        headers |= {"Accept-Encoding": "identity"} if plain else {}
        headers |= {"Range": f"bytes={start}-"} if start else {}
        with get_session().stream(
            "GET",
            self.endpoint + path,
            params=params,
            headers=headers,
            timeout=_TIMEOUT,
            extensions={EMBEDDED: self._embedded, COUNTED: self._count},
        ) as response:
            self._answered = True
            if response.is_error and int(response.headers.get("Content-Length", _ANSWER_LIMIT)) < _ANSWER_LIMIT:
                response.read()
            hf_raise_for_status(response)
            yield response

    def retry(self, act: Callable[[], _T]) -> _T:
        """Return what `act` returns, called again after a failure that may pass.

        Raises one of GONE as the Hub answered, HubStatusError for another error that it answers with,
        RequestsSpentError where it may be asked no more, and HubUnreachableError for every other failure.
        """
        attempts = Retrying(
            retry=retry_if_exception(lambda failure: self._may_pass(failure) and not self._is_spent()),
            wait=_choose_wait,
            stop=stop_any(stop_after_attempt(_ATTEMPTS), stop_before_delay(_PATIENCE)),
            before_sleep=self._tell_pause,
            reraise=True,
        )
        try:
            return attempts(act)
        except GONE:
            raise
        except _NO_ANSWER as failure:
            if self._is_spent() and self._may_pass(failure):
                raise self._explain_spent(f"the last one failed: {describe_failure(failure)}") from failure
            raise self._explain_failure(failure) from failure

    def explain(self, failure: str) -> HubUnreachableError:
        """Return the error that says how this Hub failed, and what to do."""
        return HubUnreachableError(
            f"The Hub at {self.endpoint} did not answer as a Hub does: {failure}",
            next_step="Check the address and the connection. Without one: HF_HUB_OFFLINE=1 uses the models that were "
            "downloaded before, --lock models.lock.json those of an earlier run, and --hub starter the models that "
            "come with this program.",
        )

    def _is_spent(self) -> bool:
        return self._allowed is not None and self._requests - self._made_before >= self._allowed

    def _count(self) -> None:
        """Count a request before it is made. Raises RequestsSpentError where it may not be made."""
        with self._lock:
            if self._is_spent():
                raise self._explain_spent("it takes more")
            self._requests += 1

    def _explain_spent(self, why: str) -> RequestsSpentError:
        return RequestsSpentError(
            f"The search of the Hub at {self.endpoint} made all the requests that it may make, and {why}.",
            next_step="Wait a while, then start it again, or allow it more: --hub-requests N.",
        )

    def _explain_failure(self, failure: Exception) -> HubUnreachableError:
        error = self.explain(describe_failure(failure))
        if not isinstance(failure, HfHubHTTPError):
            return error
        status, answer = failure.response.status_code, describe_failure(failure)
        asked = read_wait(failure.response.headers, datetime.now(UTC))
        too_long = asked is not None and status in _PASSING_STATUSES and asked >= _PATIENCE
        if status == HTTPStatus.TOO_MANY_REQUESTS or too_long:
            return self._explain_limit(answer, asked)
        return HubStatusError(error.what, next_step=error.next_step, status=status, answer=answer)

    def _explain_limit(self, answer: str, asked: float | None) -> HubUnreachableError:
        """Return the error that says how long this Hub wants not to be asked, and what to do; a token helps where it
        would be sent."""
        limited = answer.startswith(f"status {HTTPStatus.TOO_MANY_REQUESTS:d}")
        how = "limits how often it may be asked" if limited else "is busy"
        seconds = f"asks to wait {math.ceil(asked):,} seconds" if asked else "asks for no wait"
        wait = "does not say how long to wait" if asked is None else seconds
        until = "that long" if asked else "a while"
        helped = limited and is_configured_hub(self.endpoint) and get_token() is None
        token = " Or set HF_TOKEN: a Hub allows more to those whom it knows." if helped else ""
        return HubUnreachableError(
            f"The Hub at {self.endpoint} {how} ({answer}), and {wait}.",
            next_step=f"Wait {until}, then go on: `autoannotator resume RUN`, or the same command again.{token}",
        )

    def _may_pass(self, failure: BaseException) -> bool:
        if isinstance(failure, HfHubHTTPError):
            return failure.response.status_code in _PASSING_STATUSES
        return self._answered and isinstance(failure, BROKEN)

    def _tell_pause(self, state: RetryCallState) -> None:
        if self._tell and state.upcoming_sleep >= _WORTH_TELLING and state.outcome:
            self._tell(state.upcoming_sleep, describe_failure(state.outcome.exception()))


def _choose_wait(state: RetryCallState) -> float:
    """Return the seconds to wait: what the Hub asks for, else 1, 2, 4 and so on."""
    failure = state.outcome.exception() if state.outcome else None
    asked = read_wait(failure.response.headers, datetime.now(UTC)) if isinstance(failure, HfHubHTTPError) else None
    return min(2.0 ** (state.attempt_number - 1), _LONGEST_STEP) if asked is None else asked


LONGEST_WAIT = 10.0**9
"""Seconds; whoever asks for a longer wait is understood as well."""


def read_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, or None: by `Retry-After`, in seconds or as a date, or by the
    Hub's own `RateLimit`, where nothing is left of it."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), LONGEST_WAIT)
    if text:
        try:
            return max((parsedate_to_datetime(text) - now).total_seconds(), 0.0)
        except (ValueError, TypeError):  # not a date, or one that names no time zone
            return None
    limit = parse_ratelimit_headers(headers)
    return float(min(limit.reset_in_seconds, LONGEST_WAIT)) if limit and limit.remaining == 0 else None


def describe_failure(failure: BaseException | None) -> str:
    """Return one line on why a request failed."""
    if isinstance(failure, HfHubHTTPError):
        return f"status {failure.response.status_code} {failure.server_message or ''}".strip()
    return str(failure).strip().partition("\n")[0] or type(failure).__name__
