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


def test_the_offline_coder_guesses_where_the_classes_are_not_explained_and_says_so() -> None:
    parts = OfflineCoder().write_parts(TASK, make_candidate("a/b", ("LABEL_0", "LABEL_1")), ())
    assert parts is not None
    assert parts.label_map.guessed
    assert parts.label_map.reason.startswith("a guess, as its card does not say what LABEL_0, LABEL_1 stands for")


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
        ("import pickle", "line 1: imports pickle"),
        ("from joblib import load", "line 1: imports joblib"),
        ("AutoModel.from_pretrained('m', trust_remote_code=True)", "line 1: trust_remote_code may only be False"),
        ("AutoModel.from_pretrained('m', trust_remote_code=1)", "line 1: trust_remote_code may only be False"),
        ("AutoModel.from_pretrained('m', trust_remote_code=not 0)", "line 1: trust_remote_code may only be False"),
        ("AutoModel.from_pretrained('m', **{'trust_remote_code': True})", "line 1: trust_remote_code may only be"),
        ("options['trust_remote_code'] = True", "line 1: trust_remote_code may only be False"),
        ("options = dict(trust_remote_code=True)", "line 1: trust_remote_code may only be False"),
        ("config.trust_remote_code = True", "line 1: trust_remote_code may only be False"),
        ("AutoModel.from_pretrained('m', use_safetensors=False)", "line 1: use_safetensors may only be True"),
        ("numpy.load('x', allow_pickle=True)", "line 1: allow_pickle may only be False"),
        ("import torch\nweights = torch.load('m/pytorch_model.bin')", "line 2: uses load"),
        ("import torch as t\nread = t.load", "line 2: uses load"),
        ("from torch import load", "line 1: imports load"),
        ("import torch.hub", "line 1: uses hub"),
        ("from torch import jit", "line 1: uses jit"),
        ("torch.serialization.load('m')", "line 1: uses serialization"),
        ("import os\nsecret = os.environ['KEY']", "line 2: uses environ"),
        ("import os\nprint(os.environ)", "line 2: uses environ"),
        ("import os as o\nprint(dict(o.environ))", "line 2: uses environ"),
        ("import os\nsecret = os.environ.setdefault('KEY', '')", "line 2: uses environ"),
        ("import os\nsecret = os.getenv('KEY')", "line 2: uses getenv"),
        ("from os import environ", "line 1: uses environ"),
        ("from os import path", "line 1: imports from os"),
        ("def preprocess(text):\n    return Path('/etc/passwd').read_text()", "line 2: preprocess uses Path"),
        ("def preprocess(text):\n    return str(sys.argv)", "line 2: preprocess uses sys"),
        ("def preprocess(text):\n    [Path for Path in '']\n    return Path(text)", "line 2: preprocess uses Path"),
        ("def preprocess(text):\n    global Path\n    Path = Path\n    return text", "line 3: preprocess uses Path"),
        ("def preprocess(text):\n    return text if (lambda: pq)() else ''", "line 2: preprocess uses pq"),
        ("def preprocess(text):\n    return getattr(text, 'x')", "line 2: preprocess uses getattr"),
        ("def preprocess(text):\n    return torch.os.environ['K']", "line 2: preprocess uses os"),
        ("def preprocess(text):\n    import re\n    return re._compiler", "line 3: preprocess uses _compiler"),
        ("def preprocess(text):\n    return '{0.os}'.format(torch)", "line 2: preprocess uses format"),
        ("def preprocess(text):\n    import torch.utils.data\n    return text", "line 2: preprocess imports torch.ut"),
        ("def preprocess(text):\n    from torch import os\n    return text", "line 2: preprocess uses os"),
        ("def read_logits(logits):\n    torch.save(logits, 'x')\n    return logits", "line 2: read_logits uses save"),
    ],
)
def test_what_a_script_must_not_do_is_named_with_its_line(script: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in check_script(script))
    assert not criticise(script).approved


def test_ordinary_use_of_the_same_words_is_no_problem() -> None:
    script = "import os, re, json\nmodel.eval()\nre.compile('a')\nos.environ['A'] = '1'\nopen('x')\njson.load(x)\n"
    assert check_script(script) == ()


def test_a_part_may_turn_one_value_into_another() -> None:
    script = """
def preprocess(text):
    import html
    import re

    def shorten(match):
        return match.string[match.start() : match.end()].lower()

    words = [html.unescape(word) for word in text.split() if len(word) > 1]
    return re.sub(r"@\\w+", shorten, " ".join(words))


def read_logits(logits):
    import torch.nn.functional as functional

    return functional.softmax(torch.cat([logits, -logits], dim=1), dim=-1)
"""
    assert check_script(script) == ()


def test_what_the_templates_render_is_approved() -> None:
    body = "import re\n\nreturn re.sub('@\\w+', '@user', text)"
    for render in (render_annotate, render_finetune):
        assert criticise(render(PARTS.label_map.classes).text).approved
        assert criticise(render(PARTS.label_map.classes, preprocess=body).text).approved
        refused = criticise(render(PARTS.label_map.classes, preprocess="return open(text).read()").text)
        assert any("preprocess uses open" in reason for reason in refused.reasons)
