"""The coder over a scripted model: what its reply may hold beside the label map."""

import pytest

from agents.base import Failure, ScriptParts
from agents.coder import LLMCoder, find_map_faults, propose_default_parts
from agents.critic import OfflineCritic
from agents.prompting import PROMPTS
from records.candidate import LabelMap
from records.task import LabelSpec, TaskSpec
from templates.renderer import Hyperparameters, render_annotate
from tests.agents.builders import make_candidate, make_task

TASK = make_task("urgent", "calm")
MODEL = make_candidate("a/model", ("LABEL_0", "LABEL_1"))
STARS = make_candidate("a/stars", ("LABEL_0",))
MAP = '```json\n{"classes": {"1": "calm", "0": "urgent"}, "reason": "the card says so"}\n```\n'
READ = """```python
def read_logits(logits: torch.Tensor, problem_type: str) -> torch.Tensor:
    high = torch.sigmoid(logits[:, :1] - 3)
    return torch.cat([1 - high, high], dim=1)
```
"""
LONG = "x = 1\n" * 12_000
HANDLES = """```python
def preprocess(text: str, text_pair: str | None) -> str:
    import re

    return re.sub(r"@\\w+", "@user", text)
```
"""
WHOLE = render_annotate({0: "urgent", 1: "calm"}).text
SCRIPT = f"{MAP}```python\n{WHOLE}```"
CANNOT_FIT = '```json\n{"template_cannot_fit": "it reads pictures"}\n```\n'
FITS = '```json\n{"template_fits": "it reads texts"}\n```\n'
PAIR = TaskSpec(
    sentence="Does the claim follow?",
    kind="text_pair",
    labels=(LabelSpec(name="yes", example="It rains.", example_pair="It is wet."), LabelSpec(name="no")),
    text_columns=("premise", "claim"),
)


def say(*replies: str):
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def write(connect, *replies: str, task: TaskSpec = TASK, model=MODEL, failures: tuple[Failure, ...] = ()):
    asker, server = connect(say(*replies))
    parts = LLMCoder(asker).write_parts(task, model, failures)
    assert parts is not None
    return parts, [request["messages"][-1]["content"] for request in server.requests()]


def test_the_map_is_kept_in_the_order_of_the_classes(connect) -> None:
    parts, _ = write(connect, MAP)
    assert list(parts.label_map.classes.items()) == [(0, "urgent"), (1, "calm")]
    assert (parts.hyperparameters, parts.script, len(parts.prompt_hash)) == (None, None, 64)


def test_the_defaults_that_the_coder_is_shown_are_those_of_the_template() -> None:
    prompt = (PROMPTS / "coder" / "request.jinja").read_text(encoding="utf-8")
    shown = [block.split("```")[0] for block in prompt.split("```python\n")[1:]]
    assert len(shown) == 2
    for function in shown:
        signature, body = function.split("\n", 1)
        assert signature in WHOLE
        assert body in WHOLE


def test_hyperparameters_come_with_their_reason(connect) -> None:
    block = '```json\n{"training": {"epochs": 2, "learning_rate": 5e-4}, "reason": "It is large."}\n```'
    parts, _ = write(connect, MAP + block)
    assert parts.hyperparameters == Hyperparameters(epochs=2, learning_rate=5e-4)
    assert parts.training_reason == "It is large."


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ('{"epochs": 50}', "training.epochs"),
        ('{"rank": 512}', "training.rank"),
        ('{"learning_rate": 1.0}', "training.learning_rate"),
        ('{"output_dir": "/tmp"}', "training.output_dir"),
    ],
)
def test_hyperparameters_beyond_their_bounds_are_asked_for_again(connect, training: str, told: str) -> None:
    _, asked = write(connect, f'{MAP}```json\n{{"training": {training}, "reason": ""}}\n```', MAP)
    assert told in asked[1]


def test_a_whole_script_is_taken_as_it_is(connect) -> None:
    parts, asked = write(connect, CANNOT_FIT, SCRIPT)
    assert parts.script == WHOLE
    assert "--serve" not in asked[0]
    assert "it reads pictures" in asked[1]
    assert "--serve" in asked[1]
    assert "it reads pictures" in parts.prompt
    assert parts.reply == SCRIPT
    assert (parts.preprocess, parts.read_logits) == (None, None)
    assert OfflineCritic().criticise(TASK, MODEL, parts, WHOLE, passed=True, output="").approved


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", "there were 0"),
        (READ, "begins with a docstring"),
        (f"```python\n{WHOLE}import socket\n```", "imports socket"),
        ('```python\n"""Label texts."""\nimport os\nos.system("ls")\n```', "line 3: uses os.system"),
        ('```python\n"""Label texts."""\nimport torch\ntorch.load("x")\n```', "line 3: uses load"),
        (f"```python\n{WHOLE}```\n{READ}", "no other beside it; there were 2"),
        (f'```python\n"""Label texts."""\n{"x = 1 " * 12_000}\n```', "it is not Python"),
        (f'```python\n"""Label texts."""\n{LONG}```', "allowed are 60000"),
        (f'```python\n{WHOLE}```\n```json\n{{"training": {{}}, "reason": ""}}\n```', "leave the training block out"),
    ],
)
def test_a_whole_script_that_may_not_be_is_asked_for_again(connect, code: str, told: str) -> None:
    parts, asked = write(connect, CANNOT_FIT, MAP + code, SCRIPT)
    assert parts.script == WHOLE
    assert told in asked[2]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (SCRIPT, "no whole script"),
        (MAP + CANNOT_FIT, "Send template_cannot_fit alone"),
        (CANNOT_FIT + READ, "Send template_cannot_fit alone"),
        ('```json\n{"template_cannot_fit": ""}\n```', "template_cannot_fit"),
    ],
)
def test_parts_of_a_template_and_a_turn_from_it_are_told_apart(connect, reply: str, told: str) -> None:
    parts, asked = write(connect, reply, MAP)
    assert parts.script is None
    assert told in asked[1]


def test_a_coder_turns_once_in_an_attempt(connect) -> None:
    parts, asked = write(connect, CANNOT_FIT, FITS, CANNOT_FIT, SCRIPT)
    assert parts.script == WHOLE
    assert [text.splitlines()[0] for text in asked[2:]] == ["Your reply could not be used:"] * 2
    assert "template_fits" not in asked[1]


def fail_whole() -> Failure:
    parts = ScriptParts(label_map=LabelMap(classes={0: "urgent", 1: "calm"}, reason=""), script=WHOLE)
    return Failure(parts=parts, output="KeyError: 3", reasons=("it failed its test",))


def test_a_whole_script_that_failed_is_mended_whole(connect) -> None:
    parts, asked = write(connect, SCRIPT, failures=(fail_whole(),))
    assert (len(asked), parts.script) == (1, WHOLE)
    assert "KeyError: 3" in asked[0]


def test_after_a_whole_script_the_template_may_be_used_again(connect) -> None:
    parts, asked = write(connect, FITS, MAP, failures=(fail_whole(),))
    assert parts.script is None
    assert "template_fits" in asked[0]
    assert "it reads texts" in asked[1]
    assert "template_cannot_fit" not in asked[1]


def test_a_function_of_a_whole_script_may_use_what_the_script_has(connect) -> None:
    script = '"""Label texts."""\nimport re\n\n\ndef preprocess(text):\n    return re.sub("a", "b", text)\n'
    assert write(connect, CANNOT_FIT, f"{MAP}```python\n{script}```")[0].script == script


def test_a_regression_is_read_by_columns_of_its_own(connect) -> None:
    parts, asked = write(connect, MAP + READ, model=STARS)
    assert parts.read_logits is not None
    assert "in [0, 1]" in asked[0]


def test_the_columns_of_a_function_are_counted_without_a_gap(connect) -> None:
    gap = MAP.replace('"1": "calm"', '"2": "calm"')
    three = MAP.replace('"1": "calm"', '"1": null, "2": "calm"')
    parts, asked = write(connect, gap + READ, three + READ, model=STARS)
    assert "count the columns from 0" in asked[1]
    assert parts.label_map.classes == {0: "urgent", 1: None, 2: "calm"}


def test_one_logit_is_no_and_yes(connect) -> None:
    parts, _ = write(connect, MAP, model=STARS)
    assert find_map_faults(TASK, STARS, parts) == []
    assert find_map_faults(TASK, make_candidate("a/b", ("x", "y", "z")), parts) != []


def test_handles_are_replaced_by_a_function_of_its_own(connect) -> None:
    parts, _ = write(connect, MAP + HANDLES)
    script = render_annotate(parts.label_map.classes, preprocess=parts.preprocess).text
    assert OfflineCritic().criticise(TASK, MODEL, parts, script, passed=True, output="").approved


def test_a_pair_is_asked_for_as_a_pair(connect) -> None:
    map_ = MAP.replace("calm", "no").replace("urgent", "yes")
    code = "```python\ndef preprocess(text, text_pair):\n    return (text_pair or '', text)\n```"
    parts, asked = write(connect, map_ + code, task=PAIR)
    assert parts.preprocess == "return (text_pair or '', text)"
    assert "It is wet." in asked[0]
    assert "second text of the row" in asked[0]


def test_a_failure_is_shown_from_its_beginning_to_its_end(connect) -> None:
    parts, _ = write(connect, MAP)
    failure = Failure(parts=parts, output="a" * 2000 + "\n[…]\n" + "z" * 2000, reasons=("line 3: no; yes",))
    _, asked = write(connect, MAP + READ, failures=(failure,))
    assert "a" * 2000 + r"\n[…]\n" + "z" * 2000 in asked[0]
    assert "line 3: no; yes" in asked[0]


def test_the_template_as_it_is_reads_classes_by_rule_and_guesses_where_nothing_tells() -> None:
    guess = propose_default_parts(TASK, MODEL)
    assert guess is not None
    assert guess.label_map.guessed
    assert propose_default_parts(TASK, make_candidate("a/b", ("LABEL_0",))) is None
    named = propose_default_parts(TASK, make_candidate("a/b", ("calm", "urgent")))
    assert named is not None
    assert (named.label_map.classes, named.label_map.guessed) == ({0: "calm", 1: "urgent"}, False)


@pytest.mark.parametrize("odd", ["\u2028", "\x0c", "\x85"])
def test_what_only_some_take_for_the_end_of_a_line_stays_within_its_string(connect, odd: str) -> None:
    body = f'odd = "a{odd}b"\nreturn text.replace(odd, "ab")'
    parts, _ = write(
        connect,
        f"{MAP}```python\ndef preprocess(text: str, text_pair: str | None) -> str:\n"
        + "".join(f"    {line}\n" for line in body.split("\n"))
        + "```",
    )
    assert parts.preprocess == body
    assert f'    odd = "a{odd}b"\n    return' in render_annotate({0: "urgent"}, preprocess=body).text
