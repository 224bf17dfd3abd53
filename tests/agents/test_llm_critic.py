"""The critic over a scripted model: what it is shown of a script, and which lines its reasons may name."""

import json
import re

import pytest

from agents.base import ScriptParts, Verdict
from agents.critic import LLMCritic, find_remarks
from agents.excerpt import find_excerpt
from records.candidate import LabelMap
from templates.renderer import render_annotate
from tests.agents.builders import make_candidate, make_task

TASK = make_task("urgent", "calm")
MODEL = make_candidate("a/b", ("calm", "urgent"))
PARTS = ScriptParts(label_map=LabelMap(classes={0: "calm", 1: "urgent"}, reason=""))
READ = 'import torch\n\n# why\nreturn torch.softmax(logits, dim=1)  # "\x0c\u2028"'
APPROVED = {"approved": True, "reasons": []}


def refuse(line: int) -> dict:
    return {"approved": False, "reasons": [{"line": line, "fault": "a", "mend": "b"}]}


def render(parts: ScriptParts) -> str:
    code = {"preprocess": parts.preprocess, "read_logits": parts.read_logits}
    return render_annotate(parts.label_map.classes, **code).text


def find_line(script: str, text: str) -> int:
    return next(number for number, line in enumerate(script.split("\n"), 1) if text in line)


def criticise(
    connect, *replies: object, parts: ScriptParts = PARTS, added: str = "", output: str = ""
) -> tuple[Verdict, list[str]]:
    """Return the verdict, and the last message of each request."""
    left = [json.dumps(reply) for reply in replies]
    asker, server = connect(lambda request: left.pop(0) if len(left) > 1 else left[0])
    script = (parts.script or render(parts)) + added
    verdict = LLMCritic(asker).criticise(TASK, MODEL, parts, script, passed=True, output=output)
    return verdict, [request["messages"][-1]["content"] for request in server.requests()]


def read_shown(asked: str) -> dict[int, str]:
    """Return the lines of the script that a request shows, by their numbers."""
    found = re.findall(r'^(\d+) (".*")$', asked, re.MULTILINE)
    return {int(number): json.loads(text) for number, text in found}


def test_of_a_template_only_what_depends_on_the_model_is_shown(connect) -> None:
    script = render(PARTS).split("\n")
    _, (asked,) = criticise(connect, APPROVED)
    shown = read_shown(asked)
    assert {number: script[number - 1] for number in shown} == shown
    assert list(shown) == list(range(min(shown), max(shown) + 1))
    assert shown[min(shown)].startswith("LABEL_MAP: ")
    text = "\n".join(shown.values())
    for held in (
        "def preprocess(",
        "def read_logits(",
        "class Classifier:",
        "def read_labels(",
        "def find_max_tokens(",
    ):
        assert held in text
    for left_out in ("environ", "class Annotator", "--serve"):
        assert left_out not in asked
    first = find_line(render(PARTS), "LABEL_MAP: ")
    assert f"- `LABEL_MAP`: lines {first} to {first + 2};" in asked
    assert asked.count("the template's own is used") == 2


def test_what_a_coder_wrote_is_told_by_its_lines(connect) -> None:
    parts = PARTS.model_copy(update={"preprocess": 'return text.replace("a", "b")', "read_logits": READ})
    script = render(parts)
    _, (asked,) = criticise(connect, APPROVED, parts=parts)
    one, first = find_line(script, '"a", "b"'), find_line(script, "    import torch")
    assert f"- `preprocess`: line {one};" in asked
    assert f"- `read_logits`: lines {first} to {first + 3};" in asked
    assert read_shown(asked)[first + 3] == script.split("\n")[first + 2]
    assert "the template's own is used" not in asked


def test_a_script_that_was_written_whole_is_shown_whole(connect) -> None:
    parts = PARTS.model_copy(update={"script": render(PARTS)})
    verdict, (asked,) = criticise(connect, refuse(1), parts=parts)
    assert "\n".join(read_shown(asked).values()) + "\n" == parts.script
    assert verdict.reasons == ("line 1: a; b",)


@pytest.mark.parametrize("code", [None, "return text.lower()"])
def test_a_reason_names_a_line_that_was_written_for_the_model(connect, code: str | None) -> None:
    parts = PARTS.model_copy(update={"preprocess": code})
    script = render(parts)
    first, body = find_line(script, "LABEL_MAP: "), find_line(script, "def preprocess(") + 2
    verdict, asked = criticise(connect, refuse(body if code is None else body - 1), refuse(first), parts=parts)
    assert verdict.reasons == (f"line {first}: a; b",)
    allowed = f"{first} to {first + 2}" + (f", {body} to {body}" if code else "")
    assert f"none of the lines that were written for this model: {allowed}." in asked[1]


def test_a_reason_may_name_a_line_of_what_the_coder_wrote(connect) -> None:
    parts = PARTS.model_copy(update={"preprocess": "return text.lower()"})
    line = find_line(render(parts), "text.lower()")
    assert criticise(connect, refuse(line), parts=parts)[0].reasons == (f"line {line}: a; b",)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (refuse(0), "line 0 is none"),
        (refuse(4000), "line 4000 is none"),
        (refuse(99999), "line 99999 is none"),
        ({"approved": False, "reasons": ["it is bad"]}, "reasons.0"),
        ({"approved": False, "reasons": []}, "a refusal needs at least one"),
        ({"approved": True, "reasons": refuse(46)["reasons"]}, "an approval has none"),
    ],
)
def test_a_verdict_that_cannot_be_used_is_asked_for_again(connect, bad: dict, told: str, whole: bool) -> None:
    parts = PARTS.model_copy(update={"script": render(PARTS)}) if whole else PARTS
    verdict, asked = criticise(connect, bad, APPROVED, parts=parts)
    assert verdict.approved
    assert told in asked[1]


def test_the_example_of_a_refusal_can_be_copied_for_no_script(connect) -> None:
    def copy(request: dict) -> str:
        if len(request["messages"]) > 2:
            return json.dumps(APPROVED)
        return next(one for one in request["messages"][1]["content"].splitlines() if one.startswith('{"approved": f'))

    asker, server = connect(copy)
    assert LLMCritic(asker).criticise(TASK, MODEL, PARTS, render(PARTS), passed=True, output="").approved
    assert len(server.log) == 2


def test_a_bug_that_ruff_sees_cannot_be_argued_away(connect) -> None:
    verdict, asked = criticise(connect, APPROVED, added="x = unknown\n")
    line = len(render(PARTS).splitlines()) + 1
    assert verdict.reasons == (f"line {line}: F821 Undefined name `unknown`",)
    assert asked == []


def test_remarks_are_shown_on_what_was_written_for_the_model(connect) -> None:
    parts = PARTS.model_copy(update={"preprocess": "unused = 1\nreturn text"})
    _, (asked,) = criticise(connect, APPROVED, parts=parts, added="import math\n")
    assert "F841 Local variable `unused` is assigned to but never used" in asked
    assert "F401" not in asked
    assert "linter" not in criticise(connect, APPROVED)[1][0]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("", False),
        ("..............                 [100%]\n14 passed in … s\n", False),
        (f"{'.' * 72} [ 98%]\n.    [100%]\n73 passed in … s", False),
        (".. [100%]\n2 passed, 1 warning in … s\n", True),
        ("Downloading …\n.. [100%]\n2 passed in … s\n", True),
    ],
)
def test_the_output_of_a_test_is_shown_where_it_says_more_than_that_it_passed(connect, output, shown) -> None:
    assert find_remarks(output) == (output if shown else "")
    _, (asked,) = criticise(connect, APPROVED, output=output)
    assert ("It printed" in asked) == shown
    if shown:
        assert json.dumps(output, ensure_ascii=False) in asked


def test_a_whole_script_was_written_for_its_model_to_the_last_line() -> None:
    excerpt = find_excerpt("a\nb\n", PARTS.model_copy(update={"script": "a\nb\n"}))
    assert [line for line in range(5) if excerpt.holds(line)] == [1, 2]
