import pytest

from agents.lint import lint_script
from templates.renderer import Hyperparameters, render_annotate, render_finetune

CODE = {
    "preprocess": "import re\n\nreturn re.sub('@\\w+', '@user', text)",
    "read_logits": "return torch.sigmoid(logits)",
}
CLASSES = {0: "good", 1: None}


@pytest.mark.parametrize(
    "script",
    [
        render_annotate(CLASSES),
        render_annotate(CLASSES, **CODE),
        render_finetune(CLASSES),
        render_finetune(CLASSES, **CODE, hyperparameters=Hyperparameters(epochs=2)),
    ],
    ids=["annotate", "annotate with code", "finetune", "finetune with code"],
)
def test_nothing_speaks_against_what_the_templates_render(script) -> None:
    assert lint_script(script.text) == ()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("x = y\n", "line 1: F821 Undefined name `y`"),
        ("def f():\n    return 1\n    yield\n\n\ndef g(a, a):\n    pass\n", "line 6: invalid-syntax"),
        ("x = 1\nx is 'a'\n", "line 2: F632"),
        ("def f(rows=[]):\n    rows.append(1)\n", "line 1: B006"),
        ("print('%s %s' % (1,))\n", "line 1: F507"),
        ("# ruff: noqa\nx = y  # noqa\n", "line 2: F821"),
        ("def f(:\n", "line 1: invalid-syntax"),
    ],
)
def test_a_bug_is_a_fault(script: str, found: str) -> None:
    assert any(str(one).startswith(found) and one.fault for one in lint_script(script)), lint_script(script)


def test_what_is_not_used_is_only_remarked() -> None:
    findings = lint_script("import re\n\n\ndef f():\n    x = 1\n")
    assert [(one.line, one.code, one.fault) for one in findings] == [(1, "F401", False), (5, "F841", False)]
