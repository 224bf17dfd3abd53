"""Keeps an endpoint's requests and tokens per minute within limits."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


class Clock:
    """The time in seconds, and the wait for it."""

    def now(self) -> float:
        """Return seconds since some instant; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)


@dataclass
class Sent:
    """One request of the last minute: when it went, and its tokens, first as estimated, then as counted."""

    time: float
    tokens: int


@dataclass
class Pace:
    """The requests of the last minute, whose number and tokens stay within the limits; None: no limit.

    A request goes as soon as the minute before it has room for it. One that is larger than the whole limit goes alone.
    Shared by threads: they are let through in turn, so that a large request is not overtaken for ever.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None
    clock: Clock
    _sent: deque[Sent] = field(default_factory=deque[Sent], init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def admit(self, tokens: int) -> Sent:
        """Return when a request of so many tokens, by estimate, may be sent; it counts from then on."""
        with self._turn:
            while True:
                with self._lock:
                    wait = self._find_wait(tokens)
                    if wait <= 0:
                        sent = Sent(self.clock.now(), tokens)
                        self._sent.append(sent)
                        return sent
                self.clock.sleep(wait)

    def settle(self, sent: Sent, tokens: int) -> None:
        """Let the request count with the tokens that the endpoint counted."""
        with self._lock:
            sent.tokens = tokens

    def _find_wait(self, tokens: int) -> float:
        """Return the seconds until enough of the last minute's requests are older than a minute."""
        now = self.clock.now()
        while self._sent and self._sent[0].time <= now - MINUTE:
            self._sent.popleft()
        requests, used = len(self._sent), sum(sent.tokens for sent in self._sent)
        until = now
        for sent in self._sent:
            if self._has_room(requests, used, tokens):
                break
            requests, used, until = requests - 1, used - sent.tokens, sent.time + MINUTE
        return until - now

    def _has_room(self, requests: int, used: int, tokens: int) -> bool:
        if self.requests_per_minute is not None and requests >= self.requests_per_minute:
            return False
        return self.tokens_per_minute is None or used == 0 or used + tokens <= self.tokens_per_minute
