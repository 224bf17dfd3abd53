"""The test writer: what its reply may hold."""

import json

import pytest

from agents.test_writer import LLMTestWriter, OfflineTestWriter
from records.errors import ReplyError
from records.task import LabelSpec, TaskSpec
from tests.agents.builders import make_candidate, make_task

TASK = make_task("urgent", "calm")
PAIR = TaskSpec(
    sentence="Same?",
    kind="text_pair",
    labels=(LabelSpec(name="same"), LabelSpec(name="other")),
    text_columns=("a", "b"),
)
MODEL = make_candidate("a/model", ("LABEL_0", "LABEL_1"), card="It replaces handles.")
ROWS = [
    {"text": "Fire!", "label": "urgent", "why": "plain"},
    {"text": "", "why": "empty"},
    {"text": "🙂", "label": None, "why": "emoji"},
    {"text": "word ", "repeat": 2000, "why": "long"},
]


def say(*replies: object):
    left = [reply if isinstance(reply, str) else json.dumps(reply) for reply in replies]
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_the_rows_come_as_data(connect) -> None:
    asker, server = connect(say(f"Here:\n```json\n{json.dumps({'cases': ROWS})}\n```"))
    made = LLMTestWriter(asker).write_cases(TASK, MODEL)
    assert [(one.text, one.label, one.repeat) for one in made.cases] == [
        ("Fire!", "urgent", 1),
        ("", None, 1),
        ("🙂", None, 1),
        ("word ", None, 2000),
    ]
    assert made.reply.startswith("Here:")
    assert len(made.prompt_hash) == 64
    assert "It replaces handles." in server.requests()[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (ROWS[:3], "at least 4 items after validation, not 3"),
        (ROWS * 5, "at most 16 items after validation, not 20"),
        ([*ROWS[:3], {"text": "x", "label": "loud", "why": ""}], "cases.3: label 'loud' is none of the task's"),
        ([*ROWS[:3], {"text": "x", "text_pair": "y", "why": ""}], "cases.3.text_pair: Extra inputs are not permitted"),
        ([*ROWS[:3], {"text": "x" * 2001, "why": ""}], "more than 2000 characters"),
        ([*ROWS[:3], {"text": "x" * 2000, "repeat": 60, "why": ""}], "120000 characters when repeated"),
        ([{"text": "x" * 1000, "repeat": 90, "why": ""}] * 5, "450000 characters with all repetitions"),
        ([*ROWS[:3], {"text": "x", "repeat": 2001, "why": ""}], "cases.3.repeat"),
        ([*ROWS[:3], {"text": "x", "code": "import os"}], "cases.3.code"),
    ],
)
def test_rows_that_cannot_be_used_are_asked_for_again(connect, cases: list, told: str) -> None:
    asker, server = connect(say({"cases": cases}, {"cases": ROWS}))
    assert len(LLMTestWriter(asker).write_cases(TASK, MODEL).cases) == 4
    assert told in server.requests()[1]["messages"][-1]["content"].replace("\\n", "\n")


def test_a_pair_needs_both_texts(connect) -> None:
    pairs = [{**row, "text_pair": "b", "label": None} for row in ROWS]
    asker, server = connect(say({"cases": [{**row, "label": None} for row in ROWS]}, {"cases": pairs}))
    assert {one.text_pair for one in LLMTestWriter(asker).write_cases(PAIR, MODEL).cases} == {"b"}
    assert "cases.0.text_pair: Field required" in server.requests()[1]["messages"][-1]["content"]


@pytest.mark.parametrize("task", [TASK, PAIR])
def test_the_schema_bounds_the_rows_and_has_a_second_text_where_the_task_has(connect, task: TaskSpec) -> None:
    pairs = task is PAIR
    rows = [{"text": row["text"], "why": "", **({"text_pair": "b"} if pairs else {})} for row in ROWS]
    asker, server = connect(say({"cases": rows}))
    LLMTestWriter(asker).write_cases(task, MODEL)
    [request] = server.requests()
    schema = request["response_format"]["json_schema"]["schema"]
    assert (schema["properties"]["cases"]["minItems"], schema["properties"]["cases"]["maxItems"]) == (4, 16)
    assert ("text_pair" in json.dumps(schema)) == pairs
    assert ("text_pair" in request["messages"][1]["content"]) == pairs


def test_rules_for_unclear_rows_are_not_shown(connect) -> None:
    asker, server = connect(say({"cases": ROWS}))
    task = TASK.model_copy(update={"guidelines": "Irony counts.", "edge_cases": ("A sigh is calm.",)})
    LLMTestWriter(asker).write_cases(task, MODEL)
    asked = server.requests()[0]["messages"][1]["content"]
    assert "Irony counts." not in asked
    assert "A sigh is calm." not in asked


def test_a_writer_that_never_answers_is_told_of(connect) -> None:
    asker, _ = connect(say("What rows?"))
    with pytest.raises(ReplyError, match="test_writer"):
        LLMTestWriter(asker).write_cases(TASK, MODEL)


def test_without_a_language_model_nothing_is_added() -> None:
    assert OfflineTestWriter().write_cases(TASK, MODEL).cases == ()
