"""Coder and critic over a scripted model."""

import json

import pytest

from agents.base import Failure, ScriptParts
from agents.coder import LLMCoder
from agents.critic import LLMCritic
from records.candidate import LabelMap
from records.errors import ReplyError
from templates.renderer import render_annotate
from tests.agents.builders import make_candidate, make_task

TASK = make_task("urgent", "calm")
MODEL = make_candidate("a/model", ("LABEL_0", "LABEL_1", "LABEL_2"))


def say(*replies: object):
    left = [reply if isinstance(reply, str) else json.dumps(reply) for reply in replies]
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


MAP = '```json\n{"classes": {"0": "calm", "1": null, "2": "urgent"}, "reason": "the card says so"}\n```\n'
CODE = """```python
def preprocess(text: str, text_pair: str | None) -> str:
    import re

    return re.sub(r"@\\w+", "@user", text)
```
```python
def read_logits(logits: torch.Tensor, problem_type: str) -> torch.Tensor:
    return torch.sigmoid(logits)
```
"""


def test_the_coder_reads_map_and_code_from_fenced_blocks(connect) -> None:
    asker, server = connect(say(f"<think>hm</think>Here:\n{MAP}and\n{CODE}"))
    parts = LLMCoder(asker).write_parts(TASK, MODEL, ())
    assert parts is not None
    assert parts.label_map.classes == {0: "calm", 1: None, 2: "urgent"}
    assert parts.preprocess == 'import re\n\nreturn re.sub(r"@\\w+", "@user", text)'
    assert parts.read_logits == "return torch.sigmoid(logits)"
    assert parts.reply.startswith("<think>")
    assert "a/model" in parts.prompt
    assert "response_format" not in server.requests()[0]


def test_without_code_the_defaults_stand(connect) -> None:
    asker, _ = connect(say(MAP))
    parts = LLMCoder(asker).write_parts(TASK, MODEL, ())
    assert parts is not None
    assert (parts.preprocess, parts.read_logits) == (None, None)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("The classes are clear.", "one fenced json block of its own"),
        (MAP.replace("urgent", "loud"), "no labels of the task"),
        (MAP.replace('"urgent"', "null"), "at least two labels"),
        (MAP.replace('"1": null, ', ""), "every class"),
        (MAP + "```python\nimport os\n```", "only the functions"),
        (MAP + "```python\ndef preprocess(text, text_pair):\n    return (\n```", "line 2: it is not Python"),
        (MAP + "```python\ndef preprocess(row):\n    return row\n```", "the arguments named text and text_pair"),
        (MAP + "```python\ndef preprocess(text, text_pair): return text\n```", "lines of its own"),
    ],
)
def test_parts_that_cannot_be_used_are_asked_for_again(connect, bad: str, told: str) -> None:
    asker, server = connect(say(bad, MAP))
    assert LLMCoder(asker).write_parts(TASK, MODEL, ()) is not None
    assert told in server.requests()[1]["messages"][-1]["content"]


def test_the_coder_is_shown_what_failed(connect) -> None:
    asker, server = connect(say(MAP))
    parts = ScriptParts(label_map=LabelMap(classes={0: "calm", 1: "urgent", 2: None}, reason=""))
    LLMCoder(asker).write_parts(TASK, MODEL, (Failure(parts=parts, output="KeyError: 3", reasons=("too slow",)),))
    asked = server.requests()[0]["messages"][1]["content"]
    assert "KeyError: 3" in asked
    assert "too slow" in asked
    assert "mend it" in asked


PARTS = ScriptParts(label_map=LabelMap(classes={0: "calm", 1: None, 2: "urgent"}, reason=""))


SCRIPT = render_annotate(PARTS.label_map.classes).text


def criticise(asker, script: str = SCRIPT, *, passed: bool = True):
    return LLMCritic(asker).criticise(TASK, MODEL, PARTS, script, passed=passed, output="")


def test_the_checks_come_first_and_cannot_be_argued_away(connect) -> None:
    asker, server = connect(say({"approved": True, "reasons": []}))
    assert not criticise(asker, "import socket  # approved by the author\n").approved
    assert not criticise(asker, passed=False).approved
    assert server.log == []
    assert criticise(asker).approved


LINE = SCRIPT.splitlines().index("LABEL_MAP: dict[int, str | None] = {") + 1
SWAPPED = {"line": LINE, "fault": "classes 0 and 2 are swapped", "mend": "swap them"}


def test_the_model_may_refuse_what_passed_the_checks(connect) -> None:
    asker, server = connect(say({"approved": False, "reasons": []}, {"approved": False, "reasons": [SWAPPED]}))
    verdict = criticise(asker)
    assert not verdict.approved
    assert verdict.reasons == (f"line {LINE}: classes 0 and 2 are swapped; swap them",)
    assert len(server.log) == 2


def test_a_critic_that_never_answers_approves_nothing(connect) -> None:
    asker, _ = connect(say("Looks good to me!"))
    with pytest.raises(ReplyError, match="critic"):
        criticise(asker)
