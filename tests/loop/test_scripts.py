"""Scripts as a language model writes them, in whole runs: what is broken is mended, replaced or dropped, and told."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.server import HubServer
from records.events import CandidateDropped, Noticed, ScriptTested
from records.folder import RunFolder
from templates.renderer import render_annotate
from tests.conftest import SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, read_role, serving
from tests.tiny_hub import LABELS, build_tiny_hub, class_of, label_of, make_sentences

MODEL = "review-sentiment"
CLASSES = {0: "negative", 1: "positive"}
WHOLE = render_annotate(CLASSES).text
HOSTILE = '"""Label texts."""\nimport subprocess\n\nsubprocess.run(["touch", "/tmp/was-run"])\n'

pytestmark = pytest.mark.xdist_group("scripts")

Answer = Callable[[dict[str, Any], str], str]
"""From a request and the well-playing team's reply to the reply that is given."""


def write_function(*lines: str, name: str = "preprocess", arguments: str = "text, text_pair") -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"\n```python\ndef {name}({arguments}):\n{body}```"


def count_attempt(request: dict[str, Any]) -> int:
    """Return which attempt a request to the coder is for, from 1."""
    return request["messages"][1]["content"].count("was refused. What was written") + 1


def play(*codes: str) -> Answer:
    """Return a coder that adds one of the codes to its label map, a next one at each attempt, and then the last."""

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) != "coder":
            return reply
        return reply + codes[min(count_attempt(request), len(codes)) - 1]

    return answer


@pytest.fixture
def start(cli: Cli, one_model_hub: str, tmp_path: Path) -> Iterator[Callable[..., tuple[RunFolder, LLMServer, str]]]:
    """Return a function that runs to the end with a team that answers so; a run's folder, server and what it said."""
    with ExitStack() as stack:

        def start(answer: Answer, *options: str, status: int = 0, hub: str = one_model_hub):
            team = play_team(LABELS, label_of, class_of)
            server = stack.enter_context(serving(lambda request: answer(request, str(team(request)))))
            data, out = tmp_path / "rows.txt", tmp_path / "out"
            data.write_text("\n".join(text for text, _ in make_sentences(12, seed=4)), encoding="utf-8")
            done = cli(
                "run", SENTENCE, "--data", data, "--hub", hub, "--llm", "openai:scripted", "--models", "1",
                "--no-learning", "--out", out, "--sandbox", "process", *options, OPENAI_BASE_URL=server.base_url,
            )  # fmt: skip
            assert done.returncode == status, done.stderr
            return RunFolder(out), server, done.stderr

        yield start


def read_tests(folder: RunFolder) -> list[tuple[int, bool, bool, bool]]:
    """Return of each test in turn: the attempt, whether it is the fallback, passed, and was approved."""
    tests = [event for event in folder.read_events() if isinstance(event, ScriptTested)]
    return [(one.attempt, one.fallback, one.passed, one.critic == "approved") for one in tests]


def read_attempt(folder: RunFolder, number: int, name: str) -> str:
    return (folder.attempt(f"tiny--{MODEL}", number) / name).read_text(encoding="utf-8")


BROKEN = write_function("return text[0]")
MENDED = write_function('return text.replace("@you", "@user")')


def test_broken_code_is_mended(start) -> None:
    folder, server, _ = start(play(BROKEN, MENDED))
    assert read_tests(folder) == [(1, False, False, False), (2, False, True, True)]
    coder = [one["messages"][1]["content"] for one in server.requests() if read_role(one) == "coder"]
    assert len(coder) == 2
    assert "IndexError: string index out of range" in coder[1]
    assert '+    return text.replace("@you", "@user")' in read_attempt(folder, 2, "parent.diff")
    assert "```python" in read_attempt(folder, 2, "reply.md")
    made = json.loads(read_attempt(folder, 2, "attempt.json"))
    assert set(made["template_hashes"]) == {"annotate.py", "finetune.py", "test_annotate.py"}
    assert len(made["parts"]["prompt_hash"]) == len(made["cases_prompt_hash"]) == 64
    assert sum(read_role(one) == "test_writer" for one in server.requests()) == 1, "asked once for a model"
    assert "cases" in read_attempt(folder, 1, "cases_reply.md")
    assert "an odd row" in read_attempt(folder, 2, "test_annotate.py")


def test_the_same_error_twice_ends_in_the_template(start) -> None:
    folder, _, printed = start(play(BROKEN, write_function("", "return text[0:1][0]")))
    assert read_tests(folder) == [(1, False, False, False), (2, False, False, False), (3, True, True, True)]
    assert read_attempt(folder, 3, "annotate.py") == render_annotate(CLASSES).text
    assert "attempt 3" in printed


def test_a_script_that_is_sent_again_is_not_run_again(start) -> None:
    folder, _, printed = start(play(BROKEN))
    assert read_tests(folder) == [(1, False, False, False), (2, True, True, True)]
    assert "the coder wrote its attempt 1 once more; the template is tried as it is" in printed


def test_four_attempts_and_the_template_are_all(start) -> None:
    """The critic refuses everything, each time for another reason."""
    faults = iter("abcdefgh")

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) == "critic":
            return json.dumps({"approved": False, "reasons": [{"line": 3, "fault": next(faults), "mend": "do"}]})
        number = count_attempt(request) if read_role(request) == "coder" else 0
        return reply + (write_function(f'return text.replace("{number}", "")') if number else "")

    folder, server, printed = start(answer, status=5)
    assert [one[:2] for one in read_tests(folder)] == [(n, n == 5) for n in range(1, 6)]
    assert sum(read_role(one) == "coder" for one in server.requests()) == 4
    (dropped,) = [event for event in folder.read_events() if isinstance(event, CandidateDropped)]
    assert dropped.reason == "5 scripts were refused, the last: line 3: e; do"
    assert "line 3: a; do" in json.dumps(server.requests()[-3:])
    assert "no script passed its test" in printed


def test_a_refusal_with_lines_leads_to_repair(start) -> None:
    def answer(request: dict[str, Any], reply: str) -> str:
        said = request["messages"][1]["content"]
        if read_role(request) == "critic" and "lower()" in said:
            beyond = "no line 99999" in request["messages"][-1]["content"]
            line = 46 if beyond else 99999
            fault = {"line": line, "fault": "the model knows case", "mend": "leave it"}
            return json.dumps({"approved": False, "reasons": [fault]})
        return play(write_function("return text.lower()"), MENDED)(request, reply)

    folder, server, _ = start(answer)
    assert read_tests(folder) == [(1, False, True, False), (2, False, True, True)]
    coder = [one["messages"][1]["content"] for one in server.requests() if read_role(one) == "coder"]
    assert "line 46: the model knows case; leave it" in coder[1]


def test_a_critic_that_says_nothing_usable_approves_nothing_and_fails_no_run_alone(start) -> None:
    folder, server, printed = start(
        lambda request, reply: "Fine by me!" if read_role(request) == "critic" else reply, status=5
    )
    assert read_tests(folder) == [(1, False, True, False)], "the template was what the coder wrote"
    assert "usable reply" in printed
    assert sum(read_role(one) == "coder" for one in server.requests()) == 1


def test_a_whole_script_labels_and_is_not_taught(start) -> None:
    code = f"\n```python\n{WHOLE.replace('Label texts with one classifier', 'All my own')}```"
    options = ("--stage-size", "6", "--pool-size", "8")
    folder, _, printed = start(play(code), *options)
    assert read_tests(folder) == [(1, False, True, True)]
    attempt = folder.attempt(f"tiny--{MODEL}", 1)
    assert "All my own" in (attempt / "annotate.py").read_text()
    assert not (attempt / "finetune.py").exists()
    assert "test_file_mode_gives_the_same_as_the_worker" in (attempt / "test_annotate.py").read_text()
    assert "label" in printed


def test_a_hostile_whole_script_is_never_run(start) -> None:
    folder, server, printed = start(play(f"\n```python\n{HOSTILE}```"))
    assert not Path("/tmp/was-run").exists()
    assert read_tests(folder) == [(1, True, True, True)], "the template as it is, by the rules' map"
    told = [one["messages"][-1]["content"] for one in server.requests() if read_role(one) == "coder"]
    assert "line 2: imports subprocess, which a script has no need of" in told[1]
    assert "the template is tried as it is" in printed


def test_a_test_writer_that_says_nothing_usable_costs_only_its_rows(start) -> None:
    folder, _, _ = start(lambda request, reply: "Rows!" if read_role(request) == "test_writer" else reply)
    assert read_tests(folder) == [(1, False, True, True)]
    noticed = [event.message for event in folder.read_events() if isinstance(event, Noticed)]
    assert any("is tested on the template's own rows only" in message for message in noticed)


def test_a_label_that_the_test_finds_reversed_is_mended(start) -> None:
    """The rows of the test writer show it."""
    rows = [
        {"text": text, "label": label, "why": "plain"} for text, label in make_sentences(6, seed=7, known=range(4, 10))
    ]

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) == "test_writer":
            return json.dumps({"cases": rows})
        if read_role(request) == "coder" and count_attempt(request) == 1:
            return reply.replace("positive", "x").replace("negative", "positive").replace("x", "negative")
        return reply

    folder, server, _ = start(answer)
    assert read_tests(folder) == [(1, False, False, False), (2, False, True, True)]
    coder = [one["messages"][1]["content"] for one in server.requests() if read_role(one) == "coder"]
    assert "most obvious rows are wrong" in coder[1]


def test_one_broken_candidate_leaves_the_others(start, tmp_path: Path) -> None:
    hub = build_tiny_hub(tmp_path / "hub", ("film-sentiment", MODEL))

    def answer(request: dict[str, Any], reply: str) -> str:
        broken = read_role(request) in {"coder", "critic"} and "film-sentiment" in request["messages"][1]["content"]
        return "No." if broken else reply

    with HubServer(hub) as server:
        folder, _, printed = start(answer, hub=server.url)
    dropped = [event.model for event in folder.read_events() if isinstance(event, CandidateDropped)]
    assert dropped == ["tiny--film-sentiment"]
    assert "no usable reply in 3 attempts" in printed


def test_two_equal_runs_ask_the_same(start, tmp_path: Path) -> None:
    """What a model is shown of a test holds nothing that another run of it would not."""
    asked = []
    for sandbox in ("process", "bwrap"):
        _, server, _ = start(play(BROKEN, MENDED), "--sandbox", sandbox, "--out", str(tmp_path / sandbox))
        asked.append([one["messages"] for one in server.requests() if read_role(one) in {"coder", "critic"}])
    assert asked[0] == asked[1]
