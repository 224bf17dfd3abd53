"""The benchmark of the search: its catalogue and marks, its measures, and the cassette of a language model."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.catalogue import CATALOGUE, MODELS, SPLITS, read_marks, read_tasks
from bench.command_line import main
from bench.hub import CASSETTE, KEEP, TaskResult, summarise_precision
from bench.hub_cassette import main as record
from hub.server import open_source
from tests.llm_server import play_team, serving

MEASURES = {
    "precision_at_6_held_out_rules", "precision_at_6_held_out_llm", "precision_at_6_tuning_rules",
    "borderline_misses_rules", "most_requests_rules",
}  # fmt: skip
TASKS = {task.name: task for task in read_tasks(CATALOGUE)}
MARKS = {split: read_marks(CATALOGUE, split) for split in SPLITS}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["hub", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The catalogue without a cassette."""
    shutil.copytree(CATALOGUE, tmp_path / "catalogue", ignore=shutil.ignore_patterns(CASSETTE))
    return tmp_path / "catalogue"


@pytest.mark.parametrize("split", SPLITS)
def test_every_task_is_marked_with_right_models_that_exist(split: str) -> None:
    models = {one.repo_id for one in open_source(CATALOGUE / MODELS)}
    assert len(models) >= 300
    assert set(MARKS[split]) == {name for name, task in TASKS.items() if task.split == split}
    for marks in MARKS[split].values():
        named = [*marks.right, *marks.borderline, *marks.why_not]
        assert len(set(marks.right)) >= KEEP
        assert set(named) <= models
        assert len(named) == len(set(named)), "a model is either right, borderline or not"


def test_six_tasks_are_held_out_and_the_splits_share_none() -> None:
    assert len(MARKS["held_out"]) == 6 <= len(MARKS["tuning"])
    assert not set(MARKS["tuning"]) & set(MARKS["held_out"])


def test_the_rules_are_measured_within_the_requests(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "--data", str(catalogue), "--out", str(tmp_path / "raw"))
    measures = {one["name"]: one for one in result["measures"]}
    assert set(measures) == MEASURES | {f"{name}_rules" for name in TASKS}
    assert measures["most_requests_rules"]["value"] < 60
    assert measures["precision_at_6_tuning_rules"]["value"] >= 0.85
    without = measures["precision_at_6_held_out_llm"]
    assert (without["value"], without["interval"], without["ok"]) == (None, None, None)
    assert "no cassette" in result["method"]
    raw = json.loads((tmp_path / "raw" / "hub.json").read_text(encoding="utf-8"))
    assert {one["task"] for one in raw["repetitions"]} == set(TASKS)


def test_a_recorded_language_model_is_measured_again_without_it(
    catalogue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(play_team(["a", "b"], lambda text: "a", lambda name: "a")) as server:
        assert record(["--llm", "openai:model", "--base-url", server.base_url, "--data", str(catalogue)]) == 0
    said = float(capsys.readouterr().out.rpartition("mean precision ")[2])
    played = run(capsys, "--data", str(catalogue))
    assert "a cassette: answers recorded of model" in played["method"]
    measures = {one["name"]: one for one in played["measures"]}
    assert measures["precision_at_6_held_out_llm"]["value"] == said
    assert measures["most_requests_llm"]["value"] < 60

    lines = (catalogue / CASSETTE).read_text(encoding="utf-8").splitlines()
    (catalogue / CASSETTE).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    missed = run(capsys, "--data", str(catalogue))
    assert "holds no answer to this request" in missed["method"]
    assert {one["name"]: one["value"] for one in missed["measures"]}["precision_at_6_held_out_llm"] is None


def test_empty_places_and_borderline_models_count_as_wrong() -> None:
    full = TaskResult(task="a", split="tuning", way="rules", kept=("a/b",) * 6, right=5, borderline=1, requests=1)
    short = full.model_copy(update={"kept": ("a/b",) * 3, "right": 3, "borderline": 0})
    assert full.precision == pytest.approx(5 / 6)
    assert short.precision == 0.5
    mean = summarise_precision("mean", [full, short], 0.8)
    assert mean.value == pytest.approx(2 / 3)
    assert mean.interval == (0.5, pytest.approx(5 / 6))


def test_a_folder_that_is_no_catalogue_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "--data", str(tmp_path)]) == 2
    assert "tasks.json" in capsys.readouterr().err
