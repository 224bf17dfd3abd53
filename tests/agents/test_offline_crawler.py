"""The crawler by rules, over a Hub in memory and over a real Hub server."""

from pathlib import Path

import pytest

from agents.crawl_queue import CrawlLimits
from agents.crawler import OfflineCrawler
from hub.client import HubClient
from hub.server import HubServer
from records.candidate import Candidate, Crawl, Filters
from tests.agents.builders import make_task
from tests.agents.candidate_hub import CandidateHub, make_model
from tests.tiny_hub import build_tiny_hub

TASK = make_task("positive", "negative", sentence="Label each film review as positive or negative")
ORIGINAL = make_model("ann/film-sentiment", "neg, pos", datasets=("our-films",), downloads=5000)
NAMELESS = make_model("ann/model-7", "neg, pos", datasets=("our-films",), downloads=900)
CHILD = make_model("bob/second-try", "neg, pos", base_model="ann/film-sentiment", downloads=10)
OTHER = make_model("eve/emotion", "joy, anger, fear", downloads=9000)


def crawl(*models: Candidate, budget: int = 56, limits: CrawlLimits | None = None, **hub) -> tuple[Crawl, CandidateHub]:
    tools = CandidateHub(models, **hub)
    crawl = OfflineCrawler(limits).crawl(TASK, tools, Filters(), budget)
    assert crawl.requests == tools.requests <= budget
    assert len({one.repo_id for one in crawl.candidates}) == len(crawl.candidates)
    assert all(step.reason for step in crawl.steps)
    assert crawl.steps[-1].action == "stop"
    return crawl, tools


def names(crawl: Crawl, action: str) -> list[str]:
    return [step.model or step.query for step in crawl.steps if step.action == action and step.requests]


def test_it_searches_reads_what_is_promising_and_follows_links_from_good_finds() -> None:
    found, _ = crawl(ORIGINAL, NAMELESS, CHILD, OTHER)
    by_name = {one.repo_id: one for one in found.candidates}
    assert names(found, "search")[:2] == ["sentiment", "movie sentiment"]
    assert by_name["ann/film-sentiment"].read
    assert by_name["ann/model-7"].read, "no search finds it: its name says nothing, its data and its author do"
    assert "bob/second-try" in by_name, "it was made from a good find"
    assert names(found, "read")[0] == "ann/film-sentiment"
    expanded = [step for step in found.steps if step.action == "expand"]
    assert expanded[0].along == "datasets"
    assert len({(step.model, step.along) for step in expanded}) == len(expanded)
    assert found.steps[-1].reason.startswith("nothing promising is left")


def test_what_is_read_is_what_scores_best() -> None:
    listed = [make_model(f"u{n}/sentiment-{n}", "neg, pos", downloads=10 ** (8 - n)) for n in range(5)]
    poor = make_model("v/sentiment", "neg, pos", languages=("ja",))
    found, _ = crawl(*listed, poor, budget=14)
    assert (
        names(found, "read")
        == ["u0/sentiment-0", "u1/sentiment-1", "u2/sentiment-2", "u3/sentiment-3"][: len(names(found, "read"))]
    )
    assert len(names(found, "read")) >= 3
    assert found.steps[-1].reason.startswith("the budget is spent")


@pytest.mark.parametrize("budget", [4, 5, 7, 11, 20, 33, 56, 60])
def test_the_budget_is_kept_and_mostly_spent_on_reading(budget: int) -> None:
    models = [
        make_model(f"u{n % 9}/sentiment-{n}", "neg, pos", datasets=(f"data-{n % 7}",), base_model=f"b/base-{n % 5}")
        for n in range(60)
    ]
    found, _ = crawl(*models, budget=budget)
    assert len(names(found, "read")) >= max(1, budget // 6)
    assert found.requests >= budget - 3
    if budget == 56:
        assert 8 <= len(names(found, "search")) <= 10
        assert 4 <= len(names(found, "expand")) <= 8
        assert len(names(found, "read")) >= 10


def test_closed_models_are_written_down_and_neither_read_nor_followed() -> None:
    closed = [
        make_model(f"ann/sentiment-{why}", "neg, pos", closed=why, downloads=10**6)
        for why in ("gated", "private", "disabled")
    ]
    found, _ = crawl(*closed, OTHER)
    assert {one.closed for one in found.candidates if one.repo_id.startswith("ann/")} == {
        "gated",
        "private",
        "disabled",
    }
    assert names(found, "read") == names(found, "expand") == []


def test_what_vanished_is_asked_for_once() -> None:
    found, tools = crawl(ORIGINAL, NAMELESS, vanished=("ann/film-sentiment",))
    assert [what for act, what in tools.log if act == "read"].count("ann/film-sentiment") == 1
    assert any("cannot be had, or is not" in step.reason for step in found.steps)
    assert not next(one for one in found.candidates if one.repo_id == "ann/film-sentiment").read


def test_filters_decide_what_is_worth_reading() -> None:
    large = make_model("a/sentiment-large", "neg, pos", parameters=10**9, downloads=10**6)
    small = make_model("b/sentiment-small", "neg, pos", parameters=10**7)
    found = OfflineCrawler().crawl(TASK, CandidateHub((large, small)), Filters(max_params=10**8), 56)
    assert names(found, "read") == ["b/sentiment-small"]


def test_other_authors_come_before_the_tenth_model_of_one() -> None:
    mill = [make_model(f"mill/sentiment-{n}", "neg, pos", downloads=1000) for n in range(20)]
    others = [make_model(f"u{n}/sentiment", "neg, pos", downloads=600) for n in range(4)]
    found, _ = crawl(*mill, *others, budget=40)
    assert {f"u{n}/sentiment" for n in range(4)} <= set(names(found, "read"))


def test_with_few_good_finds_the_other_searches_are_made_and_models_without_promise_read() -> None:
    """No rule knows this kind of task: what promises least may still have the task's own classes."""
    task = make_task("starter", "dessert", "main dish", sentence="Which course is each of our recipes for?")
    plain = make_model("ann/starter-kit", "opaque, names, here", downloads=900)
    silent = make_model("bob/dish-7", "starter, main dish, dessert", downloads=3)
    limits = CrawlLimits(searches=3, read_above=0.9)
    found = OfflineCrawler(limits).crawl(task, CandidateHub((plain, silent)), Filters(), 56)
    assert {one.repo_id for one in found.candidates if one.read} == {"bob/dish-7", "ann/starter-kit"}
    assert names(found, "search").index("dish") >= limits.searches
    assert found.candidates[0].repo_id == "bob/dish-7"


def test_with_enough_good_finds_nothing_more_is_searched() -> None:
    listed = [make_model(f"u{n}/sentiment-{n}", "neg, pos", downloads=10 ** (8 - n)) for n in range(7)]
    found, _ = crawl(*listed)
    assert len(names(found, "search")) == CrawlLimits().searches


def test_an_empty_hub_is_left_with_a_reason() -> None:
    found, _ = crawl()
    assert found.candidates == ()
    assert found.steps[-1].reason.startswith("nothing promising is left")


def test_it_crawls_a_hub_over_http(tmp_path: Path) -> None:
    requests: list[object] = []
    with HubServer(build_tiny_hub(tmp_path / "hub"), on_request=requests.append) as server:
        client = HubClient(server.url, tmp_path / "cache")
        found = OfflineCrawler().crawl(TASK, client, Filters(), 56)
    read = {one.repo_id for one in found.candidates if one.read}
    assert read == {"tiny/film-sentiment", "tiny/product-sentiment", "tiny/review-sentiment"}
    assert all(one.id2label and one.files for one in found.candidates)
    assert found.requests == len(requests) <= 56


def test_the_words_of_a_good_find_find_others_that_are_called_like_it() -> None:
    task = make_task("starter", "dessert", sentence="Which course is each of our recipes for?")
    first = make_model("ann/course-menubench", "starter, dessert", downloads=900)
    alike = make_model("bob/menubench-small", "starter, dessert", downloads=3)
    found = OfflineCrawler().crawl(task, CandidateHub((first, alike)), Filters(), 56)
    [learned] = [step for step in found.steps if step.query == "menubench"]
    assert "ann/course-menubench" in learned.reason
    assert {one.repo_id for one in found.candidates if one.read} == {"ann/course-menubench", "bob/menubench-small"}
