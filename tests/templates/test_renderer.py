"""What is rendered: golden files, strictness, and data that stays data."""

import ast
import json
import os
from pathlib import Path

import jinja2
import pytest

from templates.renderer import (
    CaseRows,
    Example,
    Hyperparameters,
    are_default_scripts,
    json_literal,
    make_environment,
    render_annotate,
    render_finetune,
    render_test,
)

GOLDEN = Path(__file__).parent / "golden"
LABEL_MAP = {0: "not offensive", 1: "offensive", 2: None}
EXAMPLES = (Example(text="what a lovely day", label="not offensive"), Example(text="who knows"))
ROWS = CaseRows(examples=EXAMPLES, cases=(Example(text="@you ", repeat=300, why="the card speaks of handles"),))
NASTY = '"\'\'\'"""\\ {{ 7 * 7 }} {% raw %} </script>\n\r\u2028\x00 \N{GRINNING FACE} ); import os #'

RENDERED = {
    "annotate.py": render_annotate(LABEL_MAP),
    "annotate_with_code.py": render_annotate(
        LABEL_MAP,
        preprocess='    if not text:\n        return ""\n    return text.lower()',
        read_logits="return torch.softmax(logits / 2.0, dim=1)",
    ),
    "finetune.py": render_finetune(LABEL_MAP),
    "test_annotate.py": render_test(LABEL_MAP, ROWS),
    "test_whole_script.py": render_test(LABEL_MAP, ROWS, whole=True),
}


def default_scripts() -> dict[str, str]:
    return {
        "annotate.py": render_annotate(LABEL_MAP).text,
        "finetune.py": render_finetune(LABEL_MAP).text,
        "test_annotate.py": render_test(LABEL_MAP, ROWS).text,
    }


def read_constant(script: str, name: str) -> object:
    """The data behind NAME = json.loads(<literal>), as Python itself reads the script."""
    for node in ast.walk(ast.parse(script)):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            literals = [
                call.args[0]
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "loads"
            ]
            return json.loads(ast.literal_eval(literals[0]))
    raise AssertionError(f"no {name} in the script")


@pytest.mark.parametrize("name", RENDERED)
def test_script_equals_its_golden_file(name: str) -> None:
    """After a wanted change: UPDATE_GOLDEN=1 python -m pytest tests/templates/test_renderer.py"""
    path = GOLDEN / f"{name}.golden"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(RENDERED[name].text, encoding="utf-8")
    assert RENDERED[name].text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RENDERED)
def test_script_is_python(name: str) -> None:
    ast.parse(RENDERED[name].text)


def test_code_keeps_its_own_depth() -> None:
    assert '    if not text:\n        return ""\n    return text.lower()\n' in RENDERED["annotate_with_code.py"].text


@pytest.mark.parametrize("missing", ["label_map", "preprocess", "read_logits"])
def test_missing_data_is_an_error(missing: str) -> None:
    data = {"label_map": {0: "a"}, "preprocess": None, "read_logits": None}
    del data[missing]
    with pytest.raises((jinja2.UndefinedError, TypeError), match="Undefined"):
        make_environment().get_template("scripts/annotate.py.jinja").render(data)


def test_nasty_text_stays_data() -> None:
    nasty = Example(text=NASTY, text_pair=NASTY, label=NASTY, why=NASTY)
    script = render_test({0: NASTY}, CaseRows(examples=(nasty,), cases=(nasty,))).text
    assert read_constant(script, "EXAMPLES") == read_constant(script, "CASES") == [nasty.model_dump()]
    assert read_constant(script, "COVERED") == [NASTY]
    assert read_constant(render_annotate({0: NASTY, 1: None}).text, "LABEL_MAP") == {"0": NASTY, "1": None}
    plain = render_test({}, CaseRows()).text
    assert ast.dump(ast.parse(script)) != ast.dump(ast.parse(plain))
    assert count_statements(script) == count_statements(plain)


def count_statements(script: str) -> int:
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(script)))


def test_json_literal_refuses_what_is_not_json() -> None:
    assert ast.literal_eval(json_literal({"a": [1, None]})) == '{"a": [1, null]}'
    with pytest.raises(ValueError, match="JSON"):
        json_literal(float("nan"))
    with pytest.raises(TypeError):
        json_literal({1, 2})


def test_template_hash_covers_what_is_included(tmp_path: Path) -> None:
    assert render_annotate({0: "a"}).template_hash == render_annotate({0: "b"}).template_hash
    hashes = {rendered.template_hash for rendered in RENDERED.values()}
    assert len(hashes) == 3  # annotate with and without code are one template
    assert all(len(value) == 64 for value in hashes)


def test_default_scripts_are_recognised() -> None:
    assert are_default_scripts(default_scripts(), LABEL_MAP, ROWS)


@pytest.mark.parametrize(
    "beyond", [{"epochs": 11}, {"batch_size": 65}, {"learning_rate": 0.1}, {"rank": 65}, {"seed": 1}]
)
def test_hyperparameters_have_bounds(beyond: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(beyond))):
        Hyperparameters(**beyond)


@pytest.mark.parametrize(
    "changed",
    [
        {"annotate.py": render_annotate(LABEL_MAP, preprocess="return text.lower()").text},
        {"annotate.py": render_annotate({**LABEL_MAP, 2: "offensive"}).text},
        {"finetune.py": render_finetune(LABEL_MAP, hyperparameters=Hyperparameters(epochs=9)).text},
        {"test_annotate.py": render_test(LABEL_MAP, ROWS).text + "\n"},
        {"test_annotate.py": render_test(LABEL_MAP, ROWS, whole=True).text},
        {"test_annotate.py": render_test(LABEL_MAP, CaseRows(examples=EXAMPLES)).text},
        {"conftest.py": ""},
    ],
)
def test_any_other_script_is_not_a_default(changed: dict[str, str]) -> None:
    assert not are_default_scripts({**default_scripts(), **changed}, LABEL_MAP, ROWS)
