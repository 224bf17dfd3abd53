"""The analyst over a scripted model: what it is shown, what it may answer, and what it may ask."""

import json

import pytest

from agents.analyst import SHOWN_COLUMNS, LLMAnalyst, show_rows
from agents.base import PersonAnswer
from records.errors import ReplyError, SettingsError, TaskUnclearError
from tests.agents.builders import make_request

COLUMNS = {"id": None, "body": [f"text {number}" for number in range(20)], "author": ["Ann", "Ben"]}
URGENT = {"name": "urgent", "definition": "It cannot wait.", "example": "Help!"}
CALM = {"name": "calm", "definition": "It can wait.", "example": "Thanks."}
REPLY = {
    "kind": "single_label",
    "labels": [URGENT, CALM],
    "text_columns": ["body"],
    "language": "de",
    "domain": "support mails",
    "family": "urgency detection",
    "guidelines": "When unsure: calm.",
    "edge_cases": ["A mail that\n only shouts is calm."],
    "question": None,
}
QUESTION = {
    "asks": "labels",
    "question": "Which classes\nof urgency?",
    "options": ["urgent or calm", "1 to 5"],
    "changes": "There is one label for each class.",
}
PAIRED = [{**label, "example_pair": "Another."} for label in (URGENT, CALM)]


def say(*replies: object):
    left = [reply if isinstance(reply, str) else json.dumps(reply) for reply in replies]
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def answer(words: str, asks: str = "labels") -> PersonAnswer:
    return PersonAnswer.model_validate({"asks": asks, "question": "Which classes?", "answer": words})


def test_the_task_is_written_down_whole(connect) -> None:
    asker, _ = connect(say(REPLY))
    task = LLMAnalyst(asker).analyse(make_request("Sort the mails by urgency", COLUMNS))
    assert [label.model_dump(exclude_defaults=True) for label in task.labels] == [URGENT, CALM]
    assert (task.kind, task.text_columns, task.language) == ("single_label", ("body",), "de")
    assert (task.domain, task.family) == ("support mails", "urgency detection")
    assert (task.guidelines, task.edge_cases) == ("When unsure: calm.", ("A mail that only shouts is calm.",))
    assert {"kind", "labels", "text_columns", "domain", "edge_cases"} <= set(task.inferred)


def test_the_model_sees_whole_rows_and_what_the_columns_are(connect) -> None:
    asker, server = connect(say(REPLY))
    rows = ({"id": "1", "body": "word " * 200, "author": None}, {"id": "2", "body": "short", "author": "Ann"})
    LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS, rows=rows))
    lines = server.requests()[0]["messages"][1]["content"].splitlines()
    assert '{"id": "2", "body": "short", "author": "Ann"}' in lines
    (long,) = (json.loads(line) for line in lines if line.startswith('{"id": "1"'))
    assert (len(long["body"]), long["author"]) == (304, None)
    assert '{"name": "id", "is_text": false, "type": "int64"}' in lines
    assert '{"name": "body", "is_text": true, "type": "string"}' in lines


def test_of_very_many_columns_those_with_text_are_shown_and_no_row_is_long() -> None:
    columns: dict[str, list[str] | None] = {f"n{number}": None for number in range(100)}
    request = make_request("Sort the mails", {**columns, "body": ["word " * 2000]})
    for row in show_rows(request):
        assert len(row) == SHOWN_COLUMNS
        assert "body" in row
        assert len(json.dumps(row)) < 6000


def test_what_the_person_stated_stands(connect) -> None:
    labels = [{**URGENT, "name": "other"}, {**CALM, "name": "calm"}]
    asker, server = connect(say({**REPLY, "labels": labels, "text_columns": []}))
    request = make_request("Sort the mails", COLUMNS, labels=("Calm", "Other"), text_columns=("author",))
    task = LLMAnalyst(asker).analyse(request)
    assert [(label.name, label.definition) for label in task.labels] == [
        ("Calm", "It can wait."),
        ("Other", "It cannot wait."),
    ]
    assert task.text_columns == ("author",)
    assert not {"labels", "text_columns"} & set(task.inferred)
    assert len(server.log) == 1


@pytest.mark.parametrize("kind", ["single_label", "multi_label"])
def test_several_columns_and_kinds_are_told(connect, kind: str) -> None:
    asker, _ = connect(say({**REPLY, "kind": kind, "text_columns": ["author", "body"], "labels": PAIRED}))
    task = LLMAnalyst(asker).analyse(make_request("All topics that apply", COLUMNS))
    assert (task.kind, task.text_columns) == (kind, ("author", "body"))
    assert not any(label.example_pair for label in task.labels)


def test_a_pair_has_two_columns_and_examples_of_two_texts(connect) -> None:
    pair = {**REPLY, "kind": "text_pair", "text_columns": ["body", "author"], "labels": PAIRED}
    asker, server = connect(say({**pair, "text_columns": ["body"]}, {**pair, "labels": [URGENT, CALM]}, pair))
    task = LLMAnalyst(asker).analyse(make_request("Did the author write it?", COLUMNS))
    assert (task.kind, task.text_columns) == ("text_pair", ("body", "author"))
    assert [label.example_pair for label in task.labels] == ["Another.", "Another."]
    told = [request["messages"][-1]["content"] for request in server.requests()[1:]]
    assert "exactly two" in told[0]
    assert "labels.1.example_pair: it is missing" in told[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "several"}, "kind"),
        ({"kind": None}, "kind"),
        ({"text_columns": ["id"]}, "text_columns"),
        ({"text_columns": ["mail"]}, "text_columns"),
        ({"text_columns": ["body", "body"]}, "each once"),
        ({"text_columns": []}, "text_columns"),
        ({"labels": [URGENT]}, "two or more"),
        ({"labels": [URGENT, {**CALM, "name": " Urgent\n"}]}, "same name"),
        ({"labels": [URGENT, CALM, {**CALM, "name": "Cannot tell"}]}, "labels.2.name"),
        ({"labels": [URGENT, {**CALM, "definition": ""}]}, "labels.1.definition"),
        ({"labels": [{**URGENT, "example": " "}, CALM]}, "labels.0.example"),
        ({"labels": [URGENT, {**CALM, "definition": "x" * 301}]}, "labels.1.definition"),
        ({"labels": [URGENT, CALM, {"name": "x" * 101}]}, "labels.2.name"),
        ({"edge_cases": ["Irony."] * 9}, "edge_cases"),
        ({"guidelines": "x" * 601}, "guidelines"),
        ({"language": "German"}, "ISO 639-1"),
    ],
)
def test_a_task_that_cannot_be_is_asked_for_again_in_words(connect, change: dict, told: str) -> None:
    asker, server = connect(say({**REPLY, **change}, REPLY))
    assert LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS)).label_names == ("urgent", "calm")
    assert told in server.requests()[1]["messages"][-1]["content"]
    assert len(server.log) == 2


def test_all_faults_of_a_task_are_said_at_once(connect) -> None:
    bad = {**REPLY, "labels": [URGENT], "text_columns": ["id"], "language": "German"}
    asker, server = connect(say(bad, REPLY))
    LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS))
    told = server.requests()[1]["messages"][-1]["content"]
    assert all(fault in told for fault in ("labels: give", "text_columns: name", "language: "))


@pytest.mark.parametrize("labels", [[URGENT, {**CALM, "name": "quiet"}], [URGENT], [URGENT, CALM, CALM]])
def test_each_label_of_the_person_is_described_and_no_other(connect, labels: list) -> None:
    asker, server = connect(say({**REPLY, "labels": labels}, REPLY))
    LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS, labels=("urgent", "calm")))
    assert "each of the person's labels" in server.requests()[1]["messages"][-1]["content"]


def test_a_question_goes_to_the_person_with_what_it_changes_and_the_options(connect) -> None:
    asker, _ = connect(say({"question": QUESTION}))
    with pytest.raises(TaskUnclearError) as error:
        LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS))
    asked = error.value
    assert asked.what == (
        "Which classes of urgency? Possible answers: urgent or calm / 1 to 5. "
        "(What it changes: There is one label for each class.)"
    )
    assert (asked.asks, asked.in_words) == ("labels", True)
    assert "--labels a,b" in asked.next_step
    assert "--task" in asked.next_step


def test_a_question_about_the_column_names_its_option(connect) -> None:
    asker, _ = connect(say({"question": {**QUESTION, "asks": "text"}}))
    with pytest.raises(TaskUnclearError) as error:
        LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS, labels=("a", "b")))
    assert error.value.asks == "text"
    assert "--text COLUMN" in error.value.next_step


@pytest.mark.parametrize(
    ("question", "stated"),
    [
        ({**QUESTION, "changes": " "}, {}),
        ({key: value for key, value in QUESTION.items() if key != "changes"}, {}),
        ({**QUESTION, "asks": "style"}, {}),
        ("Which classes?", {}),
        (QUESTION, {"labels": ("urgent", "calm")}),
        ({**QUESTION, "asks": "text"}, {"text_columns": ("body",)}),
        (QUESTION, {"labels": ("urgent", "calm"), "text_columns": ("body",)}),
        (QUESTION, {"answers": (answer("two"), answer("whichever"))}),
    ],
)
def test_a_question_that_changes_nothing_or_is_answered_is_refused(connect, question, stated: dict) -> None:
    asker, server = connect(say({"question": question}, REPLY))
    task = LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS, **stated))
    assert task.label_names == ("urgent", "calm")
    assert "question" in server.requests()[1]["messages"][-1]["content"]


def test_where_one_column_has_text_nobody_is_asked_which(connect) -> None:
    asker, server = connect(say({"question": {**QUESTION, "asks": "text"}}, REPLY))
    LLMAnalyst(asker).analyse(make_request("Sort the mails", {"id": None, "body": ["a", "b"]}))
    assert len(server.log) == 2


def test_a_model_that_only_asks_has_no_usable_reply(connect) -> None:
    asker, _ = connect(say({"question": QUESTION}))
    request = make_request("Sort the mails", COLUMNS, answers=(answer("two"), answer("whichever")))
    with pytest.raises(ReplyError, match="decide yourself"):
        LLMAnalyst(asker).analyse(request)


def test_the_persons_answer_goes_back_in_their_words(connect) -> None:
    asker, server = connect(say(REPLY))
    request = make_request("Sort the mails", COLUMNS, answers=(answer('the "burning" ones, and the rest'),))
    assert LLMAnalyst(asker).analyse(request).label_names == ("urgent", "calm")
    asked = server.requests()[0]["messages"][1]["content"]
    assert r'"the \"burning\" ones, and the rest"' in asked
    assert '"Which classes?"' in asked


@pytest.mark.parametrize(("words", "columns"), [("author", ("author",)), ("author, body", ("author", "body"))])
def test_a_column_that_the_person_named_stands(connect, words: str, columns: tuple[str, ...]) -> None:
    asker, _ = connect(say({**REPLY, "text_columns": ["id"]}, {**REPLY, "text_columns": list(columns)}))
    request = make_request("Sort the mails", COLUMNS, answers=(answer(words, "text"),))
    assert LLMAnalyst(asker).analyse(request).text_columns == columns


def test_words_about_the_column_are_the_models_to_read(connect) -> None:
    asker, _ = connect(say(REPLY))
    request = make_request("Sort the mails", COLUMNS, answers=(answer("what they wrote", "text"),))
    assert LLMAnalyst(asker).analyse(request).text_columns == ("body",)


def test_nothing_is_sent_where_the_file_has_no_text(connect) -> None:
    asker, server = connect(say(REPLY))
    with pytest.raises(TaskUnclearError, match="no text column"):
        LLMAnalyst(asker).analyse(make_request("Sort the mails", {"id": None}))
    assert server.log == []


@pytest.mark.parametrize("labels", [("one",), ("a", "A"), ("a", "cannot tell"), ("a", "b" * 101)])
def test_nothing_is_sent_where_the_stated_labels_cannot_be(connect, labels: tuple[str, ...]) -> None:
    asker, server = connect(say(REPLY))
    with pytest.raises(SettingsError, match="--labels"):
        LLMAnalyst(asker).analyse(make_request("Sort the mails", COLUMNS, labels=labels))
    assert server.log == []
