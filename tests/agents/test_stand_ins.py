"""Where the budget ends before the first stage, rules do the work that is left."""

import pytest

from agents.base import Failure
from agents.coder import OfflineCoder
from agents.target import Terms
from agents.team import make_team
from records.candidate import Filters
from records.ledger import Ledger
from tests.agents.builders import make_candidate, make_request
from tests.agents.candidate_hub import CandidateHub
from tests.llm_server import play_team, serving

LABELS = {"NEG": "negative", "POS": "positive"}
REQUEST = make_request("Label each review as positive or negative", {"text": ["Good.", "Bad."]})
MODEL = make_candidate("a/sentiment", ("NEG", "POS"))


def test_rules_take_every_role_that_cannot_be_paid_and_it_is_told_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with serving(play_team(tuple(LABELS.values()), lambda text: "positive", LABELS.get)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        terms = Terms(price=(1.0, 1.0), budget=1e-6)
        team = make_team("openai:model", ledger, terms=terms, notice=told.append)
        task = team.analyst.analyse(REQUEST)
        assert task.label_names == ("positive", "negative")
        crawl = team.crawler.crawl(task, CandidateHub((MODEL,)), Filters(), 20)
        (selection,) = team.selector.select(task, crawl.candidates, 3, Filters())
        parts = team.coder.write_parts(task, MODEL, ())
        assert parts == OfflineCoder().write_parts(task, MODEL, ())
        assert team.test_writer.write_cases(task, MODEL).cases == ()
        verdicts = [team.critic.criticise(task, MODEL, parts, "x = (", passed=True, output="") for _ in range(2)]
        assert server.hits == 0
    assert selection.kept
    assert not any(one.approved for one in verdicts), "a rule finds that it is no Python"
    assert [message.partition("'s place")[0] for message in told] == [
        f"Rules take the {role}" for role in ("analyst", "crawler", "selector", "coder", "test writer")
    ]
    assert all("the budget of 1e-06 USD is reached" in message for message in told)


def test_after_a_model_s_own_attempt_failed_the_template_is_tried_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(play_team(tuple(LABELS.values()), lambda text: "positive", LABELS.get)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        team = make_team("openai:model", ledger, terms=Terms(price=(1.0, 1.0), budget=1e-6))
        task = team.analyst.analyse(REQUEST)
        plain = team.coder.write_parts(task, MODEL, ())
        assert plain is not None
        own = Failure(parts=plain.model_copy(update={"preprocess": "    return 1 / 0\n"}), output="", reasons=())
        assert team.coder.write_parts(task, MODEL, (own,)) == plain
        failed = Failure(parts=plain, output="", reasons=())
        assert team.coder.write_parts(task, MODEL, (own, failed)) is None
