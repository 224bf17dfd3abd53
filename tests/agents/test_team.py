"""A whole team: what `--llm` makes, and that each of its roles is played."""

import pytest

from agents.base import ReviewRequest, ReviewRow
from agents.team import make_team
from records.candidate import Filters
from records.errors import SettingsError
from templates.renderer import render_annotate
from tests.agents.builders import make_candidate, make_request
from tests.agents.candidate_hub import CandidateHub
from tests.agents.figures import make_figures
from tests.llm_server import play_team, read_role, serving

LABELS = {"NEG": "negative", "POS": "positive"}
REQUEST = make_request("Label each review as positive or negative", {"text": ["Good.", "Bad."]})
MODEL = make_candidate("a/sentiment", ("NEG", "POS"))


def test_offline_is_no_language_model_and_says_so(ledger) -> None:
    team = make_team("offline", ledger)
    assert team.description == "offline: no language model"
    assert team.reviewer.source == "offline"


def test_an_unknown_team_is_refused(ledger) -> None:
    with pytest.raises(SettingsError, match="openai:MODEL"):
        make_team("gpt", ledger)


def test_a_chat_model_plays_every_role_and_is_asked_nothing_twice(ledger, monkeypatch) -> None:
    play = play_team(tuple(LABELS.values()), lambda text: "positive" if "ood" in text else "negative", LABELS.get)
    with serving(play) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        for _ in range(2):
            team = make_team("openai:model", ledger)
            task = team.analyst.analyse(REQUEST)
            crawl = team.crawler.crawl(task, CandidateHub((MODEL,)), Filters(), 20)
            assert crawl.steps[0].query == "classification"
            (selection,) = team.selector.select(task, crawl.candidates, 3, Filters())
            assert selection.kept
            parts = team.coder.write_parts(task, MODEL, ())
            assert parts is not None
            assert parts.label_map.classes == {0: "negative", 1: "positive"}
            script = render_annotate(parts.label_map.classes).text
            assert team.critic.criticise(task, MODEL, parts, script, passed=True, output="").approved
            (review,) = team.reviewer.review(ReviewRequest(task, (ReviewRow(row=3, text="Good."),)))
            assert (review.row, review.label, review.source) == (3, "positive", "llm")
            decision = team.result_critic.criticise(task, make_figures())
            assert decision is not None
            assert decision.action == "go_on"
        assert team.description == f"model at {server.base_url.split('/')[2]}"
        roles = [read_role(request) for request in server.requests()]
    assert roles == ["analyst", "crawler", "selector", "coder", "critic", "reviewer", "result_critic"]
    assert sum(spent.requests for spent in ledger.spending()) == len(roles)
