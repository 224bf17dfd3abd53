"""Limits per minute and pauses, on a clock that only moves when somebody waits."""

from collections.abc import Iterator

import pytest

from agents.breaker import FAILURES, LONGEST_PAUSE, CircuitBreaker, PassingFailureError
from agents.pacing import Clock, Pace


class FakeClock(Clock):
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    clock = FakeClock()
    yield clock
    assert clock.time >= 1000.0


def test_without_limits_nothing_waits(clock: FakeClock) -> None:
    pace = Pace(None, None, clock)
    for _ in range(1000):
        pace.admit(10**6)
    assert clock.time == 1000.0


def test_no_minute_holds_more_requests_than_allowed(clock: FakeClock) -> None:
    pace = Pace(3, None, clock)
    times = []
    for number in range(10):
        times.append(pace.admit(1).time)
        clock.time += number  # some take longer than others
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[3:], strict=False))
    assert times[:3] == [1000, 1000, 1001]


def test_no_minute_holds_more_tokens_than_allowed(clock: FakeClock) -> None:
    pace = Pace(None, 1000, clock)
    sizes = [400, 400, 300, 200, 900]
    sent = [pace.admit(size) for size in sizes]
    assert [one.time - 1000 for one in sent] == [0, 0, 60, 60, 120]


def test_what_was_counted_stands_for_what_was_estimated(clock: FakeClock) -> None:
    pace = Pace(None, 1000, clock)
    pace.settle(pace.admit(900), 100)
    assert pace.admit(800).time == 1000
    pace.settle(pace.admit(50), 5000)
    assert pace.admit(50).time == 1060


def test_a_request_that_is_larger_than_the_limit_goes_alone(clock: FakeClock) -> None:
    pace = Pace(None, 1000, clock)
    assert [pace.admit(size).time - 1000 for size in (10, 5000, 10)] == [0, 60, 120]


def fail(breaker: CircuitBreaker, retry_after: float | None = None) -> None:
    with pytest.raises(PassingFailureError), breaker.turn():
        raise PassingFailureError("answered 503", retry_after=retry_after)


def answer(breaker: CircuitBreaker) -> None:
    with breaker.turn():
        pass


class Watched:
    """A breaker, the clock it looks at, and the pauses that it told of."""

    def __init__(self, clock: FakeClock, *, answered: bool = True, patience: float = 1800) -> None:
        self.pauses: list[float] = []
        self.clock = clock
        self.breaker = CircuitBreaker(
            answered=answered, patience=patience, first_pause=5, clock=clock, tell=lambda s, _: self.pauses.append(s)
        )


def test_a_few_failures_do_not_open_it(clock: FakeClock) -> None:
    watched = Watched(clock)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            fail(watched.breaker)
        answer(watched.breaker)
    assert (watched.pauses, clock.time) == ([], 1000.0)


def test_pauses_double_up_to_a_minute_and_an_answer_ends_them(clock: FakeClock) -> None:
    watched = Watched(clock)
    for _ in range(FAILURES + 5):
        fail(watched.breaker)
    assert watched.pauses == [5, 10, 20, 40, LONGEST_PAUSE, LONGEST_PAUSE]
    assert clock.time == 1000 + 5 + 10 + 20 + 40 + 60, "the last pause has begun, and nobody has waited for its end"
    answer(watched.breaker)
    assert not watched.breaker.is_open
    for _ in range(FAILURES):
        fail(watched.breaker)
    assert watched.pauses[-1] == 5, "the next outage begins with a short pause"


def test_an_endpoint_that_asks_for_longer_gets_it(clock: FakeClock) -> None:
    watched = Watched(clock)
    for _ in range(FAILURES):
        fail(watched.breaker, retry_after=33)
    assert watched.pauses == [33]


def test_after_its_patience_it_lets_nothing_through(clock: FakeClock) -> None:
    watched = Watched(clock, patience=100)
    tries = 0
    while not watched.breaker.is_over:
        fail(watched.breaker)
        tries += 1
        assert tries < 100
    assert clock.time == 1100, "the last try comes when patience ends"
    reached = False
    with pytest.raises(PassingFailureError, match="503"), watched.breaker.turn():
        reached = True
    assert not reached


def test_what_has_never_answered_opens_nothing(clock: FakeClock) -> None:
    watched = Watched(clock, answered=False)
    for _ in range(3 * FAILURES):
        fail(watched.breaker)
    assert watched.pauses == []
    answer(watched.breaker)
    for _ in range(FAILURES):
        fail(watched.breaker)
    assert watched.pauses == [5]


def test_another_error_shows_that_the_endpoint_is_there(clock: FakeClock) -> None:
    watched = Watched(clock)
    for _ in range(FAILURES):
        fail(watched.breaker)
    with pytest.raises(LookupError), watched.breaker.turn():
        raise LookupError("refused")
    assert not watched.breaker.is_open
    assert watched.breaker.answers == 0
