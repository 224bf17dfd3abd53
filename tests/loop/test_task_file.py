"""The task as a file, edited and given back so that the analyst is skipped; and the analyst's questions in a run."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from autoannotator import annotate
from autoannotator.command_line import main
from records.errors import HubUnreachableError, SettingsError
from records.folder import read_record
from records.settings import Settings
from records.task import TaskSpec
from tests.conftest import SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, read_role, serving
from tests.terminal import talk
from tests.tiny_hub import label_of, make_sentences

NO_HUB = "http://127.0.0.1:9"
"""Nothing answers there: a run ends once its task is resolved."""
QUICK = ("--sandbox", "process", "--models", "1", "--no-learning")
LABELS = ("positive", "negative")
PLAY = play_team(LABELS, label_of=label_of, class_of=str.lower)
TASK = {"sentence": SENTENCE, "labels": [{"name": name} for name in LABELS], "text_columns": ["text"]}


def write_rows(path: Path) -> Path:
    rows = [{"text": text, "n": number} for number, (text, _) in enumerate(make_sentences(24, seed=4))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_task(path: Path, **changed: object) -> Path:
    path.write_text(yaml.safe_dump({**TASK, **changed}), encoding="utf-8")
    return path


def read_roles(server: LLMServer) -> list[str]:
    return [read_role(request) for request in server.requests()]


def test_a_task_is_edited_and_given_back_without_asking_the_analyst(
    cli: Cli, one_model_hub: str, tmp_path: Path
) -> None:
    data = write_rows(tmp_path / "rows.jsonl")
    options = ("--data", data, "--llm", "openai:scripted", *QUICK)
    with serving(PLAY) as server:
        first = cli(
            "run", SENTENCE, *options, "--hub", NO_HUB, "--out", tmp_path / "first", OPENAI_BASE_URL=server.base_url
        )
        assert first.returncode == 5, first.stderr
        assert "analyst" in read_roles(server)
    edited = tmp_path / "task.yaml"
    text = (tmp_path / "first" / "task.yaml").read_text(encoding="utf-8")
    assert "It is positive." in text
    edited.write_text(text.replace("It is positive.", "It is praised, or bought again."), encoding="utf-8")
    with serving(PLAY) as server:
        second = cli(
            "run", "--task", edited, *options, "--hub", one_model_hub, "--out", tmp_path / "second",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
        assert second.returncode == 0, second.stderr
        roles = read_roles(server)
        reviews = [one for one in server.requests() if read_role(one) == "reviewer"]
    assert "analyst" not in roles
    assert {"selector", "coder", "critic", "reviewer"} <= set(roles)
    assert all("It is praised, or bought again." in one["messages"][1]["content"] for one in reviews)
    assert "inferred" not in second.stderr
    assert "will see the sentence" not in second.stderr
    assert read_record(tmp_path / "second" / "settings.yaml", Settings).task == SENTENCE


def test_the_sentence_beside_a_task_file_replaces_the_files(tmp_path: Path) -> None:
    task = write_task(tmp_path / "task.yaml", sentence="As the file says")
    options: dict[str, Any] = {
        "data": pd.DataFrame({"text": [text for text, _ in make_sentences(4, seed=4)]}),
        "hub": NO_HUB, "sandbox": "process", "task_file": str(task),
    }  # fmt: skip
    with pytest.raises(HubUnreachableError):
        annotate("As I say", out=tmp_path / "said", **options)
    with pytest.raises(HubUnreachableError):
        annotate(out=tmp_path / "silent", **options)
    assert [read_record(tmp_path / run / "task.yaml", TaskSpec).sentence for run in ("said", "silent")] == [
        "As I say",
        "As the file says",
    ]


MISTAKES: dict[str, tuple[dict[str, object], tuple[str, ...], tuple[str, ...]]] = {
    "columns that the data lacks": (
        {"text_columns": ["txet", "n"]},
        (),
        ("text_columns.0: the data has no column 'txet'; did you mean 'text'", "text_columns.1: the column 'n' is not"),
    ),
    "other labels beside it": ({}, ("--labels", "good,bad"), ("--labels good, bad contradicts", "positive, negative")),
    "another column beside it": ({}, ("--text", "n"), ("--text n contradicts",)),
    "several mistakes": (
        {"kidn": "text_pair", "labels": [{"name": "a", "exmaple": "x"}, {"name": ""}]},
        (),
        (
            "kidn is not known; did you mean kind",
            "labels.0.exmaple is not known; did you mean example",
            "labels.1.name",
        ),
    ),
    "another version": ({"version": 3}, (), ("version: Input should be 1, got 3",)),
    "more labels a text than can be": (
        {"kind": "multi_label", "labels": [{"name": f"label {number}"} for number in range(63)]},
        (),
        ("a multi-label task may have 62 labels, and this one has 63",),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_wrong_with_a_task_file_is_said_and_nothing_is_left(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, options, said = MISTAKES[name]
    data, task = write_rows(tmp_path / "rows.jsonl"), write_task(tmp_path / "task.yaml", **changed)
    out = tmp_path / "run"
    arguments = ("run", "--task", str(task), "--data", str(data), "--out", str(out), "--sandbox", "process", *options)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in said), error
    assert not out.exists()


def test_a_task_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--task", str(tmp_path / "gone.yaml"), "--data", "rows.csv", "--out", str(tmp_path / "a")]) == 2
    assert "gone.yaml cannot be read: No such file" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="gone"):
        annotate(data="rows.csv", task_file=str(tmp_path / "gone.yaml"), out=tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_without_a_sentence_and_a_task_file_nothing_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--data", "rows.csv", "--out", str(tmp_path / "run")]) == 2
    assert "--task FILE" in capsys.readouterr().err


QUESTION = {
    "question": {
        "asks": "labels",
        "question": "By mood or by topic?",
        "options": ["mood", "topic"],
        "changes": "The labels are moods or topics.",
    }
}


def ask_first(request: dict[str, Any]) -> Any:
    """An analyst that wants to know once what the labels are, and a team that does well."""
    said = request["messages"][1]["content"]
    if read_role(request) == "analyst" and '"queries"' not in said and "You asked the person" not in said:
        return json.dumps(QUESTION)
    return PLAY(request)


def test_a_question_that_nobody_can_answer_names_the_options(cli: Cli, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl")
    with serving(ask_first) as server:
        done = cli(
            "run", "Sort these", "--data", data, "--llm", "openai:scripted", "--out", tmp_path / "run", *QUICK,
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert done.returncode == 2
    assert "By mood or by topic? Possible answers: mood / topic." in done.stderr
    assert "--labels a,b" in done.stderr
    assert "--task" in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_answer_in_words_goes_back_to_the_analyst_also_after_a_kill(
    run_environment: dict[str, str], tmp_path: Path
) -> None:
    data, out = write_rows(tmp_path / "rows.jsonl"), tmp_path / "out"
    command = [sys.executable, "-m", "autoannotator"]
    options = ["--data", str(data), "--hub", NO_HUB, "--llm", "openai:scripted", "--out", str(out), *QUICK]
    with serving(ask_first) as server:
        environment = {**run_environment, "OPENAI_BASE_URL": server.base_url}
        asked = talk([*command, "run", "Sort these", *options], environment, "Your answer: ", answer=None)
        assert "By mood or by topic? Possible answers: mood / topic." in asked
        finished = talk([*command, "resume", str(out)], environment, "Your answer: ", answer="by mood, of course\n")
        analysed = [one for one in server.requests() if read_role(one) in ("analyst", "crawler")]
    assert "labels positive, negative" in finished
    told = [one["messages"][1]["content"] for one in analysed]
    assert ['"by mood, of course"' in one for one in told] == [False, True, False], "asked, concluded, searched"
