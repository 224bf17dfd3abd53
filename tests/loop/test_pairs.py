"""Whole runs about pairs of texts, whose label hangs on both: with a reviewer and gold rows, killed, and offline."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator.api import Run, annotate, open_run
from autoannotator.command_line import main
from graphs.jobs import read_selections
from hub.server import HubServer
from records.events import Event, FineTuned, Gated, RowsReviewed
from records.folder import read_record
from records.outcome import Certificate
from records.task import TaskSpec
from tests.llm_server import Answer, LLMServer, play_team, read_role, serving
from tests.tiny_hub import build_tiny_hub
from tests.tiny_pairs import LABELS, SENTENCE, build_pair_hub, judge_pair, make_pairs, read_class

ROWS, STAGE = 100, 50
GOLD = range(0, ROWS, 4)
NO_TEXT, NO_FIRST, FIRST, COPY, SPLIT, SPLIT_ELSEWHERE = 9, 10, 12, 90, 17, 91
"""Rows: a pair without a text, one without its first, a gold row and its copy but for white space and case, and two
whose texts together are the same."""
ONE_TEXT = "tiny/review-sentiment"
"""A model of single texts."""

pytestmark = pytest.mark.xdist_group("pairs")


def write_rows() -> pd.DataFrame:
    pairs = make_pairs(ROWS, seed=31)
    pairs[NO_TEXT], pairs[NO_FIRST] = (" ", ""), ("", pairs[NO_FIRST][1])
    pairs[COPY] = (f" {pairs[FIRST][0].upper()}", pairs[FIRST][1])
    pairs[SPLIT] = ("The film was good", "and the film was bad")
    pairs[SPLIT_ELSEWHERE] = ("The film was good\nand the film", "was bad")
    ids = [f"r{number}" for number in range(ROWS)]
    return pd.DataFrame({"id": ids, "first": [one for one, _ in pairs], "second": [one for _, one in pairs]})


def judge(rows: pd.DataFrame) -> pd.Series:
    return pd.Series([judge_pair(*pair) for pair in zip(rows["first"], rows["second"], strict=True)], index=rows.index)


def judge_lines(text: str) -> str:
    first, _, second = text.rpartition("\n")
    return judge_pair(first, second)


def make_team() -> Callable[[dict[str, Any]], Answer]:
    """Return a team that knows the task and says what a task about pairs needs."""
    team = play_team(LABELS, judge_lines, read_class)
    labels = [{"name": one, "definition": f"It is {one}.", "example": "So!", "example_pair": "So?"} for one in LABELS]
    task = {"kind": "text_pair", "labels": labels, "text_columns": ["first", "second"], "language": "en"}
    cases = [{"text": text, "text_pair": "A second text.", "why": "an odd row"} for text in ("", "@you", "🙂", "é")]
    told = {"analyst": {**task, "family": "natural language inference"}, "test_writer": {"cases": cases}}

    def play(request: dict[str, Any]) -> Answer:
        role = read_role(request)
        return json.dumps(told[role]) if role in told else team(request)

    return play


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = build_pair_hub(tmp_path_factory.mktemp("hub"))
    with HubServer(build_tiny_hub(folder, (ONE_TEXT.partition("/")[2],))) as server:
        yield server.url


@pytest.fixture(scope="module")
def server(run_environment: dict[str, str]) -> Iterator[LLMServer]:
    with serving(make_team()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        for name in ("AUTOANNOTATOR_CACHE", "HF_HOME"):
            patch.setenv(name, run_environment[name])
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs, and of gold rows that are found by their two texts."""
    folder = tmp_path_factory.mktemp("runs")
    rows = write_rows().iloc[GOLD]
    rows.assign(label=judge(rows))[["second", "first", "label"]].to_csv(folder / "gold.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def whole(hub: str, server: LLMServer, folder: Path) -> Run:
    """A run that learns after its first stage, and a copy of its folder as a kill in the second would leave it."""

    def keep(event: Event) -> None:
        if isinstance(event, RowsReviewed) and event.stage == 1 and event.kind == "spot_check":
            shutil.copytree(folder / "whole", folder / "killed")

    return annotate(
        SENTENCE, data=write_rows(), hub=hub, out=folder / "whole", gold=folder / "gold.csv", llm="openai:scripted",
        review_style="few", show_votes=True, worth=0, sandbox="process", stage_size=STAGE, pool_size=10,
        spot_check_share=0.1, on_event=keep, yes=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def labels(whole: Run) -> pd.DataFrame:
    return whole.labels


def test_the_labels_hang_on_both_texts(labels: pd.DataFrame) -> None:
    rows = write_rows()
    assert labels[["id", "first", "second"]].equals(rows)
    assert not [name for name in labels.columns if name.startswith("__")]
    assert (labels["label"] == judge(rows)).mean() > 0.85, "whoever reads one text is right about 75 % at best"
    assert (labels["source"][list(GOLD)] == "gold").all(), "gold rows are found by both texts"


def test_a_pair_without_a_text_has_no_label_and_one_that_lacks_a_text_has(labels: pd.DataFrame) -> None:
    assert list(labels.index[labels["label"].isna()]) == [NO_TEXT]
    assert labels["reason"][NO_TEXT] == "the row has no text"


def test_a_copy_is_one_in_both_texts(labels: pd.DataFrame) -> None:
    assert list(labels.index[labels["copied_from"].notna()]) == [COPY]
    assert labels["copied_from"][COPY] == f"r{FIRST}"


def test_models_of_single_texts_are_left_out(whole: Run) -> None:
    told = {one.repo_id: one for one in read_selections(whole.folder)}
    assert {name for name, one in told.items() if one.kept} == {"tiny/film-nli", "tiny/review-nli"}
    assert "it judges one text (sentiment analysis)" in told[ONE_TEXT].reason


def test_reviewer_and_examples_have_both_texts(whole: Run, server: LLMServer) -> None:
    asked = [one["messages"][1]["content"] for one in server.requests() if read_role(one) == "reviewer"]
    shown = [json.loads(line) for text in asked for line in text.splitlines() if line.startswith("{")]
    examples = [one for one in shown if set(one) == {"text_a", "text_b", "label"}]
    rows = [one for one in shown if "votes" in one]
    assert examples
    assert rows
    assert all(one["label"] == judge_pair(one["text_a"], one["text_b"]) for one in examples)
    pairs = write_rows()
    assert {(one["text_a"], one["text_b"]) for one in rows} <= set(zip(pairs["first"], pairs["second"], strict=True))


def test_specialists_learn_from_pairs_and_the_run_ends_with_a_certificate(whole: Run) -> None:
    events = list(whole.folder.read_events())
    assert [one.rows > 0 for one in events if isinstance(one, FineTuned)] == [True, True]
    assert sum(isinstance(one, Gated) for one in events) == 2
    told = read_record(whole.folder.certificate, Certificate)
    assert told.status == "bound"
    assert told.audited > 0
    report = whole.folder.report.read_text(encoding="utf-8")
    assert "<code>first</code>, <code>second</code>" in report
    assert report.count("<blockquote") % 2 == 0, "each hard row is shown with both texts"


def test_a_run_that_was_killed_ends_as_one_that_was_not(whole: Run, folder: Path) -> None:
    assert not (folder / "killed" / "labels.parquet").exists()
    assert open_run(folder / "killed").resume(lambda event: None, yes=True).labels.equals(whole.labels)


def test_the_hub_is_searched_for_models_of_pairs(hub: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "search", SENTENCE, "--hub", hub, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {one["repo_id"] for one in told["models"] if one["kept"]} == {"tiny/film-nli", "tiny/review-nli"}


def test_without_a_language_model_the_rules_find_the_pair(hub: str, server: LLMServer, folder: Path) -> None:
    rows = write_rows().head(STAGE)
    offline = annotate(
        SENTENCE, data=rows, hub=hub, out=folder / "offline", sandbox="process", learning=False, shortlist=1,
        on_event=lambda event: None,
    )  # fmt: skip
    task = read_record(offline.folder.task, TaskSpec)
    assert (task.kind, task.text_columns) == ("text_pair", ("first", "second"))
    assert (offline.labels["label"] == judge(rows)).mean() > 0.8
    assert read_record(offline.folder.certificate, Certificate).status == "none"
