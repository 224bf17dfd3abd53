"""How many requests a search of the Hub makes: never more than it may, whatever the Hub answers."""

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from agents.crawl_queue import MOST_FAILURES
from agents.crawler import OfflineCrawler
from hub.client import HubClient
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer, ServedRequest
from records.candidate import Crawl, Filters
from records.errors import HubStatusError, HubUnreachableError, RequestsSpentError
from tests.agents.builders import make_task
from tests.hub.faulty import Intercept, server_error, slow, too_many
from tests.hub.hubs import write_film_models

TASK = make_task("positive", "negative", sentence="Label each film review as positive or negative")


def refuse_first() -> Intercept:
    """Every address is answered 429 the first time, and may be asked again at once."""
    seen: set[str] = set()
    refuse = too_many(retry_after=0)

    def intercept(request: HubRequest, good: HubResponse) -> HubResponse:
        if request.target in seen:
            return good
        seen.add(request.target)
        return refuse(request, good)

    return intercept


def move_first() -> Intercept:
    """Every address is answered with a redirect, to itself, and the next time as it should be."""
    moved: set[str] = set()

    def intercept(request: HubRequest, good: HubResponse) -> HubResponse:
        if request.target in moved:
            moved.remove(request.target)
            return good
        moved.add(request.target)
        return HubResponse(HTTPStatus.TEMPORARY_REDIRECT, {"Location": request.target}, 0, ())

    return intercept


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return write_film_models(tmp_path)


def crawl(catalogue: Path, fault: Intercept, budget: int) -> tuple[Crawl, int]:
    """Return what a crawl saw, and how many requests reached the server."""
    served: list[ServedRequest] = []
    with HubServer(catalogue, intercept=fault, on_request=served.append) as server:
        client = HubClient(server.url, catalogue.with_name("cache"))
        found = OfflineCrawler().crawl(TASK, client, Filters(), budget)
        assert client.requests == len(served)
    return found, len(served)


@pytest.mark.parametrize("fault", [refuse_first, move_first])
@pytest.mark.parametrize("budget", [4, 13, 56])
def test_a_crawl_makes_no_request_beyond_its_budget_and_ends_with_what_it_knows(
    fault: Callable[[], Intercept], budget: int, catalogue: Path
) -> None:
    found, served = crawl(catalogue, fault(), budget)
    assert found.requests == served <= budget
    assert found.candidates
    assert found.steps[-1].reason.startswith("the budget is spent")
    unfinished = [step for step in found.steps if "not finished" in step.reason]
    assert len(unfinished) <= 1
    if budget == 56:
        assert served == budget
        assert sum(one.read for one in found.candidates) >= 5


def test_an_act_that_the_budget_ends_is_written_down_as_unfinished(catalogue: Path) -> None:
    found, served = crawl(catalogue, refuse_first(), 5)
    *_, act, stop = found.steps
    assert served == 5
    assert (act.action, act.found, act.requests) == ("read", 0, 3)
    assert "not finished" in act.reason
    assert "all the requests that it may make" in act.reason
    assert stop.reason == "the budget is spent: 0 requests are left"
    assert not next(one for one in found.candidates if one.repo_id == act.model).read


def test_a_crawl_that_found_nothing_says_what_the_hub_answered(catalogue: Path) -> None:
    with pytest.raises(RequestsSpentError) as caught:
        crawl(catalogue, too_many(retry_after=0), 4)
    assert "made all the requests that it may make" in caught.value.what
    assert "status 429" in caught.value.what
    assert "--hub-requests" in caught.value.next_step


def test_a_repetition_that_may_not_be_made_is_not_waited_for(catalogue: Path) -> None:
    pauses: list[float] = []
    served: list[ServedRequest] = []
    with HubServer(catalogue, intercept=too_many(retry_after=60), on_request=served.append) as server:
        client = HubClient(server.url, catalogue.with_name("cache"), tell=lambda seconds, _: pauses.append(seconds))
        started = time.monotonic()
        with client.allow(1), pytest.raises(RequestsSpentError):
            client.search("sentiment", 5)
    assert time.monotonic() - started < 30
    assert (len(served), pauses) == (1, [])


def test_a_redirect_is_not_followed_beyond_the_allowance(catalogue: Path) -> None:
    served: list[ServedRequest] = []
    with HubServer(catalogue, intercept=move_first(), on_request=served.append) as server:
        client = HubClient(server.url, catalogue.with_name("cache"))
        with client.allow(1), pytest.raises(RequestsSpentError):
            client.search("sentiment", 5)
        assert client.requests == len(served) == 1
        assert len(client.search("film", 5)) == 5, "the allowance ends with its block"
        assert client.requests == len(served) == 3


def test_a_link_that_the_hub_cannot_follow_costs_no_more_than_itself(catalogue: Path) -> None:
    found, _ = crawl(catalogue, server_error("author=", status=400), 40)
    failed = [step for step in found.steps if "not done: the Hub answered status 400" in step.reason]
    assert 1 <= len(failed) <= MOST_FAILURES
    assert {step.along for step in failed} == {"author"}
    assert sum(one.read for one in found.candidates) >= 5


@pytest.mark.parametrize("where", ["", "blobs=true"])
def test_a_hub_that_answers_everything_with_an_error_ends_the_crawl(where: str, catalogue: Path) -> None:
    with pytest.raises(HubStatusError):
        crawl(catalogue, server_error(where, status=400), 40)


def test_an_answer_that_never_ends_is_not_waited_for(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.connection._LONGEST_ANSWER", 0.3)
    with pytest.raises(HubUnreachableError, match="took longer than"):
        crawl(catalogue, slow("", 200), 40)
