"""The result critic over a scripted model: it is shown figures; its reply becomes a decision or is asked for again."""

import json

import pytest

from agents.base import Decision
from agents.result_critic import MOST_LABELS, MOST_PAIRS, LLMResultCritic, OfflineResultCritic, name_figures
from records.errors import ReplyError
from records.figures import StageCounts, StageFigures, VoterCounts
from tests.agents.builders import make_task
from tests.agents.figures import THIS_STAGE, make_figures
from tests.llm_server import read_role

TASK = make_task("good", "bad")
GO_ON = {"action": "go_on", "evidence": [], "reason": "Nothing stands out."}
DROP = {
    "action": "drop_specialist",
    "specialist": "b--wrong",
    "evidence": ["stage.specialists.b--wrong.confirmed", "so_far.specialists.b--wrong.labels.good"],
    "reason": "It calls everything good.",
}


def say(*replies: object):
    left = [reply if isinstance(reply, str) else json.dumps(reply) for reply in replies]
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_without_a_language_model_nothing_is_judged() -> None:
    assert OfflineResultCritic().criticise(TASK, make_figures()) is None


def test_figures_have_names_that_say_what_they_are() -> None:
    shown = name_figures(make_figures())
    expected = {
        "stages_left": 3,
        "review_share": 0.2,
        "fine_tunes.rejected": 2,
        "stage.unanimous": 0.5,
        "stage.reviewed": 20,
        "stage.failed": 1,
        "stage.spot_check.differing": 1,
        "so_far.spot_check.rows": 4,
        "stage.labels.bad": 0.46,
        "stage.vote.confirmed": 0.7,
        "stage.vote.reviewed.good>bad": 6,
        "so_far.vote.reviewed.good>bad": 12,
        "stage.specialists.a--right.agreement": 0.9,
        "stage.specialists.a--right.confirmed": 0.95,
        "stage.specialists.b--wrong.labels.bad": 0,
        "stage.specialists.b--wrong.confirmed": 0.45,
    }
    assert {name: shown.get(name) for name in expected} == expected
    assert "stage.vote.reviewed.bad>good" not in shown, "a pair without a row"


def test_the_first_stage_is_shown_once() -> None:
    assert not [name for name in name_figures(make_figures(stage=0)) if name.startswith("so_far.")]


def test_a_stage_without_texts_has_figures() -> None:
    figures = make_figures().model_copy(update={"this_stage": StageCounts(), "so_far": StageCounts()})
    assert name_figures(figures)["stage.rows"] == 0


def test_many_labels_do_not_make_the_prompt_long() -> None:
    labels = [f"label {number}" for number in range(150)]
    voter = VoterCounts(
        rows=150,
        reviewed=150,
        labels={label: rows for rows, label in enumerate(labels)},
        confusion={label: dict.fromkeys(labels, 2 if label == "label 7" else 1) for label in labels},
    )
    counts = StageCounts(rows=150, labels=voter.labels, vote=voter, specialists={"a--right": voter})
    shown = name_figures(make_figures(stage=0).model_copy(update={"this_stage": counts}))
    pairs = [name for name in shown if name.startswith("stage.vote.reviewed.")]
    assert len(pairs) == MOST_PAIRS
    assert all("label 7>" in name and "label 7>label 7" not in name for name in pairs), (
        "the most rows that differ first"
    )
    assert len([name for name in shown if name.startswith("stage.labels.")]) == MOST_LABELS
    assert "stage.labels.label 149" in shown


def test_a_decision_carries_the_values_of_its_evidence(connect) -> None:
    asker, server = connect(say(DROP))
    assert LLMResultCritic(asker).criticise(TASK, make_figures()) == Decision(
        action="drop_specialist",
        specialist="b--wrong",
        evidence={"stage.specialists.b--wrong.confirmed": 0.45, "so_far.specialists.b--wrong.labels.good": 1.0},
        reason="It calls everything good.",
    )
    assert read_role(server.requests()[0]) == "result_critic"


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (GO_ON, {}),
        ({**GO_ON, "review_share": 0.4, "labels": ["good", "bad"]}, {}),
        ({**DROP, "action": "raise_review_share", "review_share": 0.4}, {"review_share": 0.4}),
        ({**DROP, "action": "relabel_pair", "labels": ["bad", "good"]}, {"labels": ("bad", "good")}),
        ({**DROP, "action": "stop_run"}, {}),
    ],
)
def test_a_decision_holds_what_its_action_needs_and_no_more(connect, reply: dict, part: dict) -> None:
    asker, _ = connect(say(reply))
    decision = LLMResultCritic(asker).criticise(TASK, make_figures())
    assert decision is not None
    nothing = {"review_share": None, "specialist": None, "labels": ()}
    assert decision.model_dump(include={*nothing}) == {**nothing, **part}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({**DROP, "evidence": ["stage.specialists.b--wrong.accuracy"]}, "names no figure shown"),
        ({**DROP, "evidence": []}, "name at least one figure"),
        ({**DROP, "specialist": "c--other"}, "a--right, b--wrong"),
        ({**DROP, "specialist": None}, "a--right, b--wrong"),
        ({**DROP, "reason": " "}, "reason"),
        ({**DROP, "action": "raise_review_share"}, "review_share"),
        ({**DROP, "action": "relabel_pair", "labels": ["good"]}, "two different ones of good, bad"),
        ({**DROP, "action": "relabel_pair", "labels": ["good", "good"]}, "two different ones of good, bad"),
        ({**DROP, "action": "relabel_pair", "labels": ["good", "neutral"]}, "two different ones of good, bad"),
        ({**DROP, "action": "retrain"}, "action"),
        ("I would go on.", "no valid JSON object"),
    ],
)
def test_a_reply_that_is_no_decision_is_asked_for_again(connect, bad: object, told: str) -> None:
    asker, server = connect(say(bad, GO_ON))
    decision = LLMResultCritic(asker).criticise(TASK, make_figures())
    assert decision is not None
    assert decision.action == "go_on"
    assert told in server.requests()[1]["messages"][-1]["content"]


def test_a_critic_that_never_decides_is_an_error(connect) -> None:
    asker, _ = connect(say("Hm."))
    with pytest.raises(ReplyError, match="result_critic"):
        LLMResultCritic(asker).criticise(TASK, make_figures())


FIELDS = {"raise_review_share": "review_share", "drop_specialist": "specialist", "relabel_pair": "labels"}
ALL_REVIEWED = {"this_stage": THIS_STAGE.model_copy(update={"unreviewed": 0})}
TOO_SMALL = {"this_stage": THIS_STAGE.model_copy(update={"rows": 9, "unreviewed": 5})}


@pytest.mark.parametrize(
    ("figures", "withheld"),
    [
        (make_figures(), set()),
        (make_figures(stages_left=0), {"raise_review_share", "drop_specialist"}),
        (make_figures().model_copy(update={"review_share": 0.5}), {"raise_review_share"}),
        (make_figures().model_copy(update={"specialists": ("a--right",)}), {"drop_specialist"}),
        (make_figures().model_copy(update=ALL_REVIEWED), {"relabel_pair"}),
        (make_figures().model_copy(update=TOO_SMALL), {"relabel_pair"}),
    ],
)
def test_only_what_can_be_carried_out_is_offered_with_its_field(
    connect, figures: StageFigures, withheld: set[str]
) -> None:
    asker, server = connect(say(GO_ON))
    LLMResultCritic(asker).criticise(TASK, figures)
    [request] = server.requests()
    schema = request["response_format"]["json_schema"]["schema"]
    offered = FIELDS.keys() - withheld
    assert set(schema["properties"]["action"]["enum"]) == {"go_on", "stop_run", *offered}
    assert list(schema["properties"]) == schema["required"]
    assert set(schema["required"]) == {"action", "evidence", "reason", *(FIELDS[action] for action in offered)}
    assert schema["additionalProperties"] is False
    lines = request["messages"][1]["content"].splitlines()
    assert list(json.loads(lines[-1])) == schema["required"], "the form that is shown is that of the schema"
    assert {action for action in FIELDS if any(line.startswith(f'- "{action}"') for line in lines)} == offered


@pytest.mark.parametrize("changed", [ALL_REVIEWED, TOO_SMALL], ids=["all reviewed", "too small"])
def test_nothing_is_sent_where_nothing_is_left_to_change(connect, changed: dict) -> None:
    asker, server = connect(say(GO_ON))
    assert LLMResultCritic(asker).criticise(TASK, make_figures(stages_left=0).model_copy(update=changed)) is None
    assert server.log == []


def test_counts_add_up() -> None:
    first = StageCounts(rows=2, specialists={"a": VoterCounts(reviewed=1, labels={"x": 2}, confusion={"x": {"y": 1}})})
    second = StageCounts(
        rows=3, specialists={"b": VoterCounts(reviewed=3, labels={"y": 3}, confusion={"y": {"y": 2, "x": 1}})}
    )
    both = first + second + second
    assert both.rows == 8
    assert both.specialists["a"] == first.specialists["a"]
    assert both.specialists["b"].labels == {"y": 6}
    assert (both.specialists["b"].reviewed, both.specialists["b"].confirmed) == (6, 2 / 3)


def test_figures_are_plain_numbers() -> None:
    figures = make_figures()
    assert StageFigures.model_validate_json(figures.model_dump_json()) == figures
