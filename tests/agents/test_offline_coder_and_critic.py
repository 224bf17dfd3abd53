import pytest

from agents.base import Failure, ScriptParts
from agents.coder import OfflineCoder
from agents.critic import OfflineCritic
from agents.script_checks import check_script
from records.candidate import LabelMap
from templates.renderer import render_annotate, render_finetune
from tests.agents.builders import make_candidate, make_task

TASK = make_task("positive", "negative")
MODEL = make_candidate("a/b", ("neg", "neutral", "pos"))
PARTS = ScriptParts(label_map=LabelMap(classes={0: "negative", 1: None, 2: "positive"}, reason="by name"))
SCRIPT = "import json\nimport torch\n\n\ndef preprocess(text: str) -> str:\n    return text\n"


def test_the_offline_coder_fills_the_defaults_once() -> None:
    parts = OfflineCoder().write_parts(TASK, MODEL, ())
    assert parts is not None
    assert parts.label_map.classes == PARTS.label_map.classes
    assert (parts.preprocess, parts.read_logits, parts.prompt) == (None, None, "")
    assert OfflineCoder().write_parts(TASK, MODEL, (Failure(parts=parts, output="", reasons=("no",)),)) is None


def test_the_offline_coder_gives_up_where_the_classes_are_not_explained() -> None:
    assert OfflineCoder().write_parts(TASK, make_candidate("a/b", ("LABEL_0", "LABEL_1")), ()) is None


def criticise(script: str = SCRIPT, parts: ScriptParts = PARTS, passed: bool = True, output: str = ""):
    return OfflineCritic().criticise(TASK, MODEL, parts, script, passed=passed, output=output)


def test_a_sound_script_is_approved() -> None:
    assert criticise().approved


def test_what_failed_its_test_is_never_approved() -> None:
    verdict = criticise(passed=False, output="…\nAssertionError: 3 rows of 4")
    assert not verdict.approved
    assert "AssertionError: 3 rows of 4" in verdict.reasons[0]


@pytest.mark.parametrize(
    "classes",
    [
        {0: "negative", 1: None, 2: None},
        {0: "negative", 1: "negative", 2: "negative"},
        {0: "negative", 1: "fine", 2: "positive"},
        {0: "negative", 1: "positive"},
    ],
)
def test_an_unfit_label_map_is_refused(classes) -> None:
    assert not criticise(parts=ScriptParts(label_map=LabelMap(classes=classes, reason=""))).approved


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("import socket", "line 1: imports socket"),
        ("import json\nfrom subprocess import run", "line 2: imports subprocess"),
        ("import urllib.request as json", "line 1: imports urllib.request"),
        ("from . import other", "line 1: imports ."),
        ("x = eval('1')", "line 1: uses eval"),
        ("run = exec", "line 1: uses exec"),
        ("import os\nos.system('ls')", "line 2: uses os.system"),
        ("import os\nos.execv('/bin/sh', [])", "line 2: uses os.execv"),
        ("x = ().__class__.__mro__", "line 1: uses __mro__"),
        ("def preprocess(text):\n    return open(text).read()", "line 2: preprocess uses open"),
        ("def read_logits(logits):\n    import os\n    return logits", "line 2: read_logits imports os"),
        ("def f(:", "line 1: it is not Python"),
    ],
)
def test_what_a_script_must_not_do_is_named_with_its_line(script: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in check_script(script))
    assert not criticise(script).approved


def test_ordinary_use_of_the_same_words_is_no_problem() -> None:
    script = "import os, re\nmodel.eval()\nre.compile('a')\nos.environ['A'] = '1'\nopen('x')\n"
    assert check_script(script) == ()


def test_what_the_templates_render_is_approved() -> None:
    body = "import re\n\nreturn re.sub('@\\w+', '@user', text)"
    for render in (render_annotate, render_finetune):
        assert criticise(render(PARTS.label_map.classes).text).approved
        assert criticise(render(PARTS.label_map.classes, preprocess=body).text).approved
        refused = criticise(render(PARTS.label_map.classes, preprocess="return open(text).read()").text)
        assert any("preprocess uses open" in reason for reason in refused.reasons)
