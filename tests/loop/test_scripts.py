"""Scripts as a language model writes them, tested in real sandboxes: what is broken is mended, replaced or dropped."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest
from langgraph.runtime import Runtime

from autoannotator.wiring import open_context
from graphs import scripting
from graphs.context import RunContext
from graphs.state import ScriptState
from hub.server import HubServer
from records.errors import NoSpecialistsError
from records.events import CandidateDropped, Noticed, ScriptTested
from records.folder import RunFolder, write_json, write_table, write_yaml
from records.rows import ROW, ROW_ID, TEXT
from records.settings import SandboxName, Settings
from records.task import LabelSpec, TaskSpec
from templates.renderer import render_annotate
from tests.conftest import SENTENCE
from tests.llm_server import play_team, read_role, serving
from tests.tiny_hub import LABELS, build_tiny_hub, class_of, label_of, make_sentences

MODEL = "review-sentiment"
TEMPLATE = render_annotate({0: "negative", 1: "positive"}).text
MAP_LINE = TEMPLATE.splitlines().index("LABEL_MAP: dict[int, str | None] = {") + 1
E = TypeVar("E")

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


def play_whole(code: str) -> Answer:
    """Return a coder that finds the template unfit and writes this script."""

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) != "coder":
            return reply
        if '"template_cannot_fit"' in request["messages"][1]["content"]:
            return '```json\n{"template_cannot_fit": "It reads pictures."}\n```'
        return f"{reply}\n```python\n{code}```"

    return answer


@dataclass(frozen=True)
class Told:
    """A run's scripts when all of them are accepted or dropped: the folder, what was asked, and how it ended."""

    folder: RunFolder
    requests: list[dict[str, Any]]
    error: NoSpecialistsError | None

    def asked(self, role: str) -> list[list[dict[str, str]]]:
        """Return the messages of every request to a role."""
        return [one["messages"] for one in self.requests if read_role(one) == role]

    def events(self, kind: type[E]) -> list[E]:
        return [event for event in self.folder.read_events() if isinstance(event, kind)]


@pytest.fixture
def start(one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Return a function that has the scripts for the models of a Hub written by a team that answers so."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", str(tmp_path / "cache"))

    def start(answer: Answer, *, sandbox: SandboxName = "process", hub: str = one_model_hub) -> Told:
        play_well = play_team(LABELS, label_of, class_of)
        folder = RunFolder.create(tmp_path / sandbox)
        settings = Settings(task=SENTENCE, data="rows", llm="openai:scripted", hub=hub, sandbox=sandbox, threads=1)
        with serving(lambda request: answer(request, str(play_well(request)))) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            with open_context(folder, settings, lambda event: None) as context:
                error = write_all(context)
            return Told(folder, server.requests(), error)

    return start


def write_all(context: RunContext) -> NoSpecialistsError | None:
    """Run the nodes that write scripts, in the graph's order, until each is accepted or dropped."""
    labels = tuple(LabelSpec(name=label) for label in LABELS)
    write_yaml(context.folder.task, TaskSpec(sentence=SENTENCE, labels=labels, text_columns=("text",)))
    texts = [text for text, _ in make_sentences(12, seed=4)]
    write_table(context.folder.input, pa.table({ROW: range(12), ROW_ID: list(map(str, range(12))), TEXT: texts}))
    hub = context.open_hub()
    found = [one for one in map(hub.read, hub.search("sentiment", 10)) if one is not None]
    write_json(context.folder.hub / "candidates.json", [one.model_dump(mode="json") for one in found])
    state: Any = {"scripts": {one.slug: ScriptState(attempt=1, fallback=False, status="written") for one in found}}
    runtime = Runtime(context=context)
    state |= scripting.write_scripts(state, runtime)
    while True:
        state |= scripting.test_scripts(state, runtime)
        try:
            command = scripting.criticise_scripts(state, runtime)
        except NoSpecialistsError as error:
            return error
        state |= command.update
        if command.goto == "audition":
            return None
        state |= scripting.repair_scripts(state, runtime)


def read_tests(told: Told) -> list[tuple[int, bool, bool, bool]]:
    """Return of each test in turn: the attempt, whether it is the fallback, passed, and was approved."""
    tests = told.events(ScriptTested)
    return [(one.attempt, one.fallback, one.passed, one.critic == "approved") for one in tests]


def read_attempt(told: Told, number: int, name: str) -> str:
    return (told.folder.attempt(f"tiny--{MODEL}", number) / name).read_text(encoding="utf-8")


BROKEN = write_function("return text[0]")
MENDED = write_function('return text.replace("@you", "@user")')


@pytest.mark.parametrize("sandbox", ["process", "bwrap"])
def test_broken_code_is_mended(start: Callable[..., Told], sandbox: str) -> None:
    """What the coder and the critic are asked is the same in every run, whatever the sandbox."""
    if sandbox == "bwrap" and shutil.which("bwrap") is None:
        pytest.skip("needs bubblewrap")
    told = start(play(BROKEN, MENDED), sandbox=sandbox)
    assert read_tests(told) == [(1, False, False, False), (2, False, True, True)]
    coder = [messages[1]["content"] for messages in told.asked("coder")]
    assert len(coder) == 2
    assert "IndexError: string index out of range" in coder[1]
    for noise in ("/tmp/", "pytest-of", "autoannotator-box", " 0x7"):
        assert noise not in coder[1]
    assert '+    return text.replace("@you", "@user")' in read_attempt(told, 2, "parent.diff")
    assert "```python" in read_attempt(told, 2, "reply.md")
    made = json.loads(read_attempt(told, 2, "attempt.json"))
    assert set(made["template_hashes"]) == {"annotate.py", "finetune.py", "test_annotate.py"}
    assert len(made["parts"]["prompt_hash"]) == len(made["cases_prompt_hash"]) == 64
    assert len(told.asked("test_writer")) == 1, "once for a model"
    assert "cases" in read_attempt(told, 1, "cases_reply.md")
    assert "an odd row" in read_attempt(told, 2, "test_annotate.py")


def test_the_same_error_twice_ends_in_the_template(start: Callable[..., Told]) -> None:
    told = start(play(BROKEN, write_function("", "return text[0:1][0] + text[0]")))
    assert read_tests(told) == [(1, False, False, False), (2, False, False, False), (3, True, True, True)]
    assert read_attempt(told, 3, "annotate.py") == TEMPLATE
    assert len(told.asked("coder")) == 2


def test_a_script_that_is_sent_again_is_not_run_again(start: Callable[..., Told]) -> None:
    told = start(play(BROKEN))
    assert read_tests(told) == [(1, False, False, False), (2, True, True, True)]
    (noticed,) = told.events(Noticed)
    assert noticed.message.endswith("the coder wrote its attempt 1 once more; the template is tried as it is")


def test_four_attempts_and_the_template_are_all(start: Callable[..., Told]) -> None:
    """The critic refuses everything, each time for another reason."""
    faults = iter("abcdefgh")

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) == "critic":
            return json.dumps({"approved": False, "reasons": [{"line": MAP_LINE, "fault": next(faults), "mend": "do"}]})
        if read_role(request) == "coder":
            return reply + write_function(f'return text.replace("{count_attempt(request)}", "")')
        return reply

    told = start(answer)
    assert [one[:2] for one in read_tests(told)] == [(number, number == 5) for number in range(1, 6)]
    assert len(told.asked("coder")) == 4
    assert f"line {MAP_LINE}: a; do" in told.asked("coder")[1][1]["content"]
    (dropped,) = told.events(CandidateDropped)
    assert dropped.reason == f"5 scripts were refused, the last: line {MAP_LINE}: e; do"
    assert told.error is not None


def test_a_refusal_with_lines_leads_to_repair(start: Callable[..., Told]) -> None:
    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) == "critic" and "lower()" in request["messages"][1]["content"]:
            line = MAP_LINE if "line 99999 is none" in request["messages"][-1]["content"] else 99999
            fault = {"line": line, "fault": "the model knows case", "mend": "leave it"}
            return json.dumps({"approved": False, "reasons": [fault]})
        return play(write_function("return text.lower()"), MENDED)(request, reply)

    told = start(answer)
    assert read_tests(told) == [(1, False, True, False), (2, False, True, True)]
    assert f"line {MAP_LINE}: the model knows case; leave it" in told.asked("coder")[1][1]["content"]


def say_nothing_as_critic(answer: Answer) -> Answer:
    return lambda request, reply: "Fine by me!" if read_role(request) == "critic" else answer(request, reply)


def read_criticism(told: Told) -> list[tuple[int, str]]:
    return [(one.attempt, one.critic) for one in told.events(ScriptTested)]


def test_a_template_that_no_critic_judged_stands_by_the_checks_alone(start: Callable[..., Told]) -> None:
    told = start(say_nothing_as_critic(lambda request, reply: reply))
    assert told.error is None
    assert read_criticism(told) == [(1, "approved by the checks alone")], "the coder wrote the template as it is"
    (noticed,) = told.events(Noticed)
    assert "no critic judged its script" in noticed.message
    assert "gave the critic no usable reply" in noticed.message
    assert told.events(CandidateDropped) == []


def test_a_script_that_no_critic_judged_gives_way_to_the_template(start: Callable[..., Told]) -> None:
    told = start(say_nothing_as_critic(play(MENDED)))
    assert told.error is None
    (_, refused), last = read_criticism(told)
    assert "gave the critic no usable reply" in refused
    assert last == (2, "approved by the checks alone")
    assert read_attempt(told, 2, "annotate.py") == TEMPLATE
    assert len(told.asked("coder")) == 1, "no coder can mend it"


def test_a_template_that_fails_its_test_is_dropped_whoever_says_nothing(start: Callable[..., Told]) -> None:
    """Its label map is the wrong way round, by the rows of the test writer, and the coder says nothing else."""
    turned = {"positive": "negative", "negative": "positive"}
    sentences = make_sentences(6, seed=7, known=range(4, 10))
    rows = [{"text": text, "label": turned[label], "why": "plain"} for text, label in sentences]

    def answer(request: dict[str, Any], reply: str) -> str:
        return json.dumps({"cases": rows}) if read_role(request) == "test_writer" else reply

    told = start(say_nothing_as_critic(answer))
    assert [one[2] for one in read_tests(told)] == [False]
    (dropped,) = told.events(CandidateDropped)
    assert "it failed its test" in dropped.reason
    assert told.error is not None
    assert told.error.what.startswith(f"no script was accepted for any of the models: tiny--{MODEL} (its script was")
    assert "it failed its test" in told.error.what


def test_a_reason_of_several_lines_is_told_in_one(start: Callable[..., Told]) -> None:
    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) != "critic":
            return reply
        fault = {"line": MAP_LINE, "fault": "turned\nround", "mend": "turn\nit"}
        return json.dumps({"approved": False, "reasons": [fault]})

    told = start(answer)
    shown = [one.critic for one in told.events(ScriptTested)] + [one.reason for one in told.events(CandidateDropped)]
    assert told.error is not None
    assert all("turned round; turn it" in text and "\n" not in text for text in (*shown, told.error.what))


def test_a_whole_script_is_tested_by_hand_too_and_has_no_fine_tune(start: Callable[..., Told]) -> None:
    code = TEMPLATE.replace("Label texts with one classifier", "All my own")
    told = start(play_whole(code))
    assert read_tests(told) == [(1, False, True, True)]
    attempt = told.folder.attempt(f"tiny--{MODEL}", 1)
    assert (attempt / "annotate.py").read_text(encoding="utf-8") == code
    assert not (attempt / "finetune.py").exists()
    assert "def test_file_mode" in read_attempt(told, 1, "test_annotate.py")


def test_a_hostile_whole_script_is_never_run(start: Callable[..., Told], tmp_path: Path) -> None:
    hostile = f'"""Label texts."""\nimport subprocess\n\nsubprocess.run(["touch", "{tmp_path}/was-run"])\n'
    told = start(play_whole(hostile))
    assert not (tmp_path / "was-run").exists()
    assert read_tests(told) == [(1, True, True, True)], "the template as it is, with the rules' map"
    assert "line 2: imports subprocess, which a script has no need of" in told.asked("coder")[2][-1]["content"]
    assert "the template is tried as it is" in told.events(Noticed)[0].message


def test_a_test_writer_that_says_nothing_usable_costs_only_its_rows(start: Callable[..., Told]) -> None:
    told = start(lambda request, reply: "Rows!" if read_role(request) == "test_writer" else reply)
    assert read_tests(told) == [(1, False, True, True)]
    assert "is tested on the template's own rows only" in told.events(Noticed)[0].message


def test_rows_of_the_test_writer_show_a_map_that_is_the_wrong_way_round(start: Callable[..., Told]) -> None:
    sentences = make_sentences(6, seed=7, known=range(4, 10))
    rows = [{"text": text, "label": label, "why": "plain"} for text, label in sentences]
    turned = {"positive": "negative", "negative": "positive"}

    def answer(request: dict[str, Any], reply: str) -> str:
        if read_role(request) == "test_writer":
            return json.dumps({"cases": rows})
        if read_role(request) == "coder" and count_attempt(request) == 1:
            return re.sub("positive|negative", lambda found: turned[found[0]], reply)
        return reply

    told = start(answer)
    assert read_tests(told) == [(1, False, False, False), (2, False, True, True)]
    assert "most obvious rows are wrong" in told.asked("coder")[1][1]["content"]


def test_one_broken_candidate_leaves_the_others(start: Callable[..., Told], tmp_path: Path) -> None:
    refusal = json.dumps({"approved": False, "reasons": [{"line": MAP_LINE, "fault": "a", "mend": "b"}]})

    def answer(request: dict[str, Any], reply: str) -> str:
        if "film-sentiment" not in request["messages"][1]["content"]:
            return reply
        return {"coder": "No.", "critic": refusal}.get(read_role(request), reply)

    with HubServer(build_tiny_hub(tmp_path / "hub", ("film-sentiment", MODEL))) as server:
        told = start(answer, hub=server.url)
    assert [event.model for event in told.events(CandidateDropped)] == ["tiny--film-sentiment"]
    assert (1, True, True, False) in read_tests(told), "its template was tried"
    assert (1, False, True, True) in read_tests(told)
    assert told.error is None
