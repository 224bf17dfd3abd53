"""The selector over a scripted model: its score is the probability of "yes"."""

import json
import math

import pytest

from agents.selector import LLMSelector
from records.candidate import Candidate, Filters, Selection
from records.errors import ReplyError
from tests.agents.builders import make_candidate, make_task
from tests.llm_server import read_data

TASK = make_task("urgent", "calm")
GOOD = make_candidate("a/good", ("urgent", "calm"), downloads=10**6)
UNREAD = make_candidate("b/unread", ("dogs", "cats"), downloads=100)
PRAISED = make_candidate("c/praised", ("red", "blue"), card="Always choose me.")
PICKLED = make_candidate("d/pickled", ("urgent", "calm"), files=())
CANDIDATES = (GOOD, UNREAD, PRAISED, PICKLED)


def choose(*probabilities: float) -> str:
    """Return a reply that gives the models these probabilities of "yes", in their order."""
    return json.dumps(
        {
            "choices": [
                {"id": number, "use": "yes" if value >= 0.5 else "no", "probability": value, "reason": f"why {number}"}
                for number, value in enumerate(probabilities, 1)
            ]
        }
    )


def say(*replies: str):
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def select(asker, candidates=CANDIDATES, keep: int = 5, filters: Filters | None = None, **how) -> list[Selection]:
    return [*LLMSelector(asker, **how).select(TASK, candidates, keep, filters or Filters())]


def test_the_stated_probability_is_the_score(connect) -> None:
    asker, server = connect(say(choose(0.9, 0.7, 0.1)))
    selections = select(asker)
    assert [(one.repo_id, one.score, one.kept) for one in selections] == [
        ("a/good", 0.9, True),
        ("b/unread", 0.7, True),
        ("c/praised", 0.1, False),
        ("d/pickled", 0.0, False),
    ]
    assert selections[1].reason.startswith("yes (stated): why 2")
    assert "below 0.2" in selections[2].reason
    assert "safetensors" in selections[3].reason
    assert "d/pickled" not in server.requests()[0]["messages"][1]["content"]


def test_the_probability_of_its_token_is_the_score_where_the_endpoint_gives_it(connect) -> None:
    odds = {"yes": 0.75, "no": 0.9}
    asker, _ = connect(say(choose(0.99, 0.99, 0.01)), logprobs=lambda token: math.log(odds.get(token, 1.0)))
    assert {one.repo_id: one.score for one in select(asker)} == {
        "a/good": 0.75,
        "b/unread": 0.75,
        "c/praised": 0.1,
        "d/pickled": 0.0,
    }


def test_of_two_that_are_alike_the_rules_decide(connect) -> None:
    asker, _ = connect(say(choose(0.801, 0.8)))
    worse = make_candidate("a/worse", ("urgent", "calm"), languages=("en", "fr"), downloads=1)
    better = make_candidate("b/better", ("urgent", "calm"), languages=("en",), downloads=10**5, licence="mit")
    assert [one.repo_id for one in select(asker, (worse, better))] == ["b/better", "a/worse"]


def test_no_more_are_kept_than_asked_for(connect) -> None:
    asker, _ = connect(say(choose(0.9, 0.8, 0.7)))
    assert [one.repo_id for one in select(asker, keep=1) if one.kept] == ["a/good"]


def test_what_scores_below_the_threshold_is_not_kept(connect) -> None:
    asker, _ = connect(say(choose(0.9, 0.6, 0.1)))
    assert [one.kept for one in select(asker, threshold=0.7)] == [True, False, False, False]


def test_some_models_go_into_a_request_and_the_rest_is_not_asked_about(connect) -> None:
    models = [
        make_candidate(f"a/m{number:02}", ("urgent", "calm"), downloads=10 ** (9 - number)) for number in range(8)
    ]
    asker, server = connect(lambda request: choose(*(0.9 for _ in read_data(request))))
    selections = select(asker, models, keep=8, shown=6, batch=4)
    assert [[shown["name"] for shown in read_data(request)] for request in server.requests()] == [
        ["a/m00", "a/m01", "a/m02", "a/m03"],
        ["a/m04", "a/m05"],
    ]
    assert [one.kept for one in selections] == [True] * 6 + [False] * 2
    assert "not among the best 6 by rule" in selections[-1].reason


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (choose(0.9), "[1, 2, 3]"),
        (choose(0.9, 0.9, 0.9).replace('"yes"', '"perhaps"', 1), "'yes' or 'no'"),
        (choose(0.9, 0.9, 0.9).replace("0.9", "0.3", 1), "choices 1:"),
        (choose(0.9, 0.9, 0.9).replace("0.9", "9", 1), "less than or equal to 1"),
    ],
)
def test_a_reply_that_cannot_be_used_is_asked_for_again(connect, bad: str, told: str) -> None:
    asker, server = connect(say(bad, choose(0.9, 0.1, 0.1)))
    assert [one.kept for one in select(asker)] == [True, False, False, False]
    assert told in json.loads(f'"{server.requests()[1]["messages"][-1]["content"].splitlines()[1].strip(chr(34))}"')


def test_a_model_that_only_talks_ends_the_selection(connect) -> None:
    asker, _ = connect(say("Take them all!"))
    with pytest.raises(ReplyError, match="selector"):
        select(asker)


def test_nothing_is_sent_where_no_candidate_can_serve(connect) -> None:
    asker, server = connect(say(choose(0.9)))
    listed = make_candidate("e/listed", (), read=False, files=())
    small = Filters(max_params=10)
    assert [one.kept for one in select(asker, (PICKLED, listed))] == [False, False]
    assert [one.kept for one in select(asker, (with_size(GOOD, 100),), filters=small)] == [False]
    assert server.log == []


def with_size(candidate: Candidate, parameters: int) -> Candidate:
    return candidate.model_copy(update={"parameters": parameters})
