"""A reply is used whole or not at all."""

import json

import pytest

from agents.review_replies import Answer, ReplyForm, make_schema, read_answers

IDS = ("k3f9qa", "m2xxyy")
ONE = ReplyForm(labels=("good", "bad"), several=False, thoughts=False, reasons=False)
MANY = ReplyForm(labels=("good", "bad", "odd"), several=True, thoughts=True, reasons=True)


def write(*answers: dict) -> str:
    return json.dumps({"answers": list(answers)})


def many(key: str, labels: object, **fields: object) -> dict:
    return {"id": key, "thought": "It is.", "labels": labels, "sure": 0.5, "reason": "So.", **fields}


GOOD, BAD = {"id": IDS[0], "label": "good", "sure": 1}, {"id": IDS[1], "label": "bad", "sure": 0.25}


def test_each_id_has_its_own_answer_in_whatever_order() -> None:
    expected = {IDS[0]: Answer("good", 1.0, ""), IDS[1]: Answer("bad", 0.25, "")}
    for answers in ((GOOD, BAD), (BAD, GOOD)):
        assert read_answers(ONE, IDS)(write(*answers)) == expected


def test_fields_that_nobody_asked_for_do_not_matter() -> None:
    said = read_answers(ONE, IDS)(write({**GOOD, "labels": ["bad"], "note": 3}, {**BAD, "reason": "So."}))
    assert said == {IDS[0]: Answer("good", 1.0, ""), IDS[1]: Answer("bad", 0.25, "So.")}


def test_several_labels_come_in_the_order_of_the_task() -> None:
    said = read_answers(MANY, IDS)(write(many(IDS[0], ["odd", "Good "]), many(IDS[1], "Cannot Tell")))
    assert [answer.said for answer in said.values()] == [("good", "odd"), "cannot tell"]
    assert read_answers(MANY, IDS[:1])(write(many(IDS[0], []))) == {IDS[0]: Answer((), 0.5, "So.")}


@pytest.mark.parametrize(
    ("form", "answers", "told"),
    [
        (ONE, [GOOD], "no answer for these ids: m2xxyy"),
        (ONE, [GOOD, BAD, {**BAD, "id": "other"}], "answers for ids that no row has: other"),
        (ONE, [GOOD, BAD, BAD], "more than one answer for these ids: m2xxyy"),
        (ONE, [GOOD, {**BAD, "label": "worst"}], "m2xxyy: 'worst' is no label of the task; allowed are 'good', 'bad'"),
        (ONE, [GOOD, {"id": IDS[1], "sure": 1}], "m2xxyy: the label is missing"),
        (ONE, [GOOD, {"id": IDS[1], "label": "bad"}], "answers.1.sure: Field required"),
        (ONE, [GOOD, {**BAD, "label": ["bad"]}], "answers.1.label"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], ["worst"])], "'worst' is no label"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], ["bad", " BAD"])], "m2xxyy: a label stands twice"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], ["bad", "cannot tell"])], "in the place of the list"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], "bad")], "labels is no list: 'bad'"),
        (MANY, [many(IDS[0], ["good"]), {**many(IDS[1], None), "label": "bad"}], "the list of labels is missing"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], [], thought="")], "m2xxyy: the thought is missing"),
        (MANY, [many(IDS[0], ["good"]), many(IDS[1], [], reason=None)], "m2xxyy: the reason is missing"),
    ],
)
def test_one_wrong_answer_spoils_the_reply_and_is_named(form: ReplyForm, answers: list[dict], told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are checked below)
        read_answers(form, IDS)(write(*answers))
    assert told in str(caught.value)


def test_two_labels_in_one_answer_are_none() -> None:
    doubled = write(GOOD, BAD).replace('"label": "good"', '"label": "good", "label": "bad"')
    with pytest.raises(ValueError, match="a name twice; its names: id, label, label, sure"):
        read_answers(ONE, IDS)(doubled)


def test_what_is_wrong_is_told_in_few_words() -> None:
    flood = [{"id": f"{number}" * 500, "label": "x" * 5000, "sure": 1} for number in range(500)]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_answers(ONE, IDS)(write(*flood))
    assert len(str(caught.value)) < 2500


def test_the_schema_is_strict_and_keeps_thought_and_reason_before_the_label() -> None:
    answer = make_schema(MANY, IDS)["properties"]["answers"]["items"]
    assert list(answer["properties"]) == answer["required"] == ["id", "thought", "reason", "labels", "sure"]
    assert answer["properties"]["id"]["enum"] == list(IDS)
    assert list(make_schema(ONE, IDS)["properties"]["answers"]["items"]["properties"]) == ["id", "label", "sure"]


def test_every_object_of_the_schema_is_closed_and_requires_all_it_has() -> None:
    def check(schema: object) -> None:
        if isinstance(schema, dict) and schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
        for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            check(part)

    for form in (ONE, MANY):
        check(make_schema(form, IDS))


def test_half_a_character_in_a_reason_costs_no_more_than_itself() -> None:
    form = ReplyForm(labels=("good", "bad"), several=False, thoughts=False, reasons=True)
    said = read_answers(form, IDS[:1])(
        r'{"answers": [{"id": "k3f9qa", "label": "good", "sure": 1, "reason": "So \ud83d"}]}'
    )
    assert said[IDS[0]].reason == "So \N{REPLACEMENT CHARACTER}"
