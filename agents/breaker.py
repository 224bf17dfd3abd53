"""The circuit breaker: an endpoint that fails and fails is left alone for a while, and then tried by one request."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agents.pacing import Clock

FAILURES = 5
"""Failed tries in a row, of whichever requests, that open it."""
LONGEST_PAUSE = 60.0
_LOOK = 0.2
"""Seconds between two looks whether the one request that goes through has ended."""


class PassingFailureError(Exception):
    """A try failed, and another may succeed: no connection, no answer in time, 408, 409, 429, 5xx, no completion.

    `retry_after` are the seconds that the endpoint asks to be left alone. `busy`: it only says that it is asked too
    much, which is no fault of the request's.
    """

    def __init__(self, what: str, *, retry_after: float | None = None, busy: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after
        self.busy = busy


class CircuitBreaker:
    """Stands before one endpoint, for all threads of a run.

    It opens after `FAILURES` failed tries in a row, of an endpoint that has answered before. Then nothing is sent for
    a pause, and one request goes through: its answer closes the breaker, its failure begins the next pause, twice as
    long up to a minute. After `patience` seconds of nothing but failures it gives up for good.
    """

    def __init__(
        self,
        *,
        answered: bool,
        patience: float,
        first_pause: float,
        clock: Clock,
        tell: Callable[[float, str], None],
    ) -> None:
        self.answers = 0
        """Requests that were answered."""
        self._answered = answered
        self._patience = patience
        self._first_pause = first_pause
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._failures = 0
        self._failing_since = 0.0
        self._pause = 0.0
        """Seconds; 0: it is closed."""
        self._until = 0.0
        self._probing = False
        self._over: PassingFailureError | None = None

    @property
    def has_answered(self) -> bool:
        """Whether the endpoint has ever answered: it is no mistake in its address."""
        return self._answered or self.answers > 0

    @property
    def is_open(self) -> bool:
        """Whether nothing is sent for now."""
        return self._pause > 0

    @property
    def is_over(self) -> bool:
        """Whether it has given up."""
        return self._over is not None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent, and learn from how the block ends.

        A PassingFailureError is a failed try; any other end shows that the endpoint is there. Where it has given up,
        it raises the failure that it gave up on, at once.
        """
        probe = self._wait()
        try:
            yield
        except PassingFailureError as failure:
            self._note_failure(failure, probe)
            raise
        except Exception:
            self._close(answered=False)
            raise
        else:
            self._close(answered=True)
        finally:
            if probe:
                self._probing = False

    def _wait(self) -> bool:
        """Return when a request may be sent: True for the one that tries whether the endpoint is back."""
        while True:
            with self._lock:
                if self._over is not None:
                    raise self._over
                if not self.is_open:
                    return False
                wait = self._until - self._clock.now()
                if wait <= 0 and not self._probing:
                    self._probing = True
                    return True
            self._clock.sleep(max(wait, _LOOK))

    def _close(self, *, answered: bool) -> None:
        with self._lock:
            self._failures, self._pause = 0, 0.0
            self.answers += answered

    def _note_failure(self, failure: PassingFailureError, probe: bool) -> None:
        with self._lock:
            now = self._clock.now()
            if self._failures == 0:
                self._failing_since = now
            self._failures += 1
            under_way = self.is_open and not probe
            if not self.has_answered or under_way or self._failures < FAILURES:
                return
            left = self._failing_since + self._patience - now
            asked = failure.retry_after or 0.0
            if left <= 0 or asked > left:
                self._over = failure
                return
            self._pause = min(2 * self._pause or self._first_pause, LONGEST_PAUSE)
            seconds = min(max(self._pause, asked), left)
            self._until = now + seconds
        self._tell(seconds, failure.what)
