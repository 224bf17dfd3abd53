"""A search of the Hub that was cut off goes on where it was, within the requests of one search."""

from pathlib import Path

import pytest

from agents.crawler import OfflineCrawler
from graphs.remembered import RememberedHub
from hub.client import HubClient
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer, ServedRequest
from records.candidate import Crawl, Filters
from records.errors import HubUnreachableError, RequestsSpentError
from tests.agents.builders import make_task
from tests.hub.faulty import too_many
from tests.hub.hubs import write_film_models

TASK = make_task("positive", "negative", sentence="Label each film review as positive or negative")
BUDGET = 40


class Limited:
    """The Hub asks for a day's pause from one request on, until it is told to serve again."""

    def __init__(self, after: int) -> None:
        self.left: float = after
        self._refuse = too_many(retry_after=86_400)

    def __call__(self, request: HubRequest, good: HubResponse) -> HubResponse:
        self.left -= 1
        return good if self.left >= 0 else self._refuse(request, good)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return write_film_models(tmp_path)


def crawl(server: HubServer, folder: Path, budget: int = BUDGET) -> Crawl:
    hub = RememberedHub(HubClient(server.url, folder / "cache"), folder / "crawl")
    return OfflineCrawler().crawl(TASK, hub, Filters(), budget)


def test_a_search_that_was_cut_off_ends_as_one_that_was_not_and_within_its_requests(
    catalogue: Path, tmp_path: Path
) -> None:
    served: list[ServedRequest] = []
    limit = Limited(after=10_000)
    with HubServer(catalogue, intercept=limit, on_request=served.append) as server:
        whole = crawl(server, tmp_path / "whole")
        assert whole.requests == len(served) <= BUDGET
        served.clear()
        for after in (0, 7, 12):
            limit.left = after
            with pytest.raises(HubUnreachableError, match="86,400 seconds"):
                crawl(server, tmp_path / "cut")
        limit.left = 10_000
        cut = crawl(server, tmp_path / "cut")
    assert cut.requests == len(served) <= BUDGET
    assert [step.query or step.model for step in cut.steps[:10]] == [
        step.query or step.model for step in whole.steps[:10]
    ]
    assert len(cut.candidates) == len(whole.candidates)


def test_a_search_that_was_done_is_not_made_again(catalogue: Path, tmp_path: Path) -> None:
    served: list[ServedRequest] = []
    with HubServer(catalogue, on_request=served.append) as server:
        first = crawl(server, tmp_path)
        made = len(served)
        assert crawl(server, tmp_path) == first
    assert len(served) == made


def test_requests_that_failed_in_every_attempt_count_together(catalogue: Path, tmp_path: Path) -> None:
    served: list[ServedRequest] = []
    with HubServer(catalogue, intercept=Limited(after=0), on_request=served.append) as server:
        for _ in range(3):
            with pytest.raises(HubUnreachableError):
                crawl(server, tmp_path, 4)
        for _ in range(2):
            with pytest.raises(RequestsSpentError, match="all the requests that it may make"):
                crawl(server, tmp_path, 4)
    assert len(served) == 4
