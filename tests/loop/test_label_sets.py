"""Whole runs of a task in which a text has any number of labels: without a language model, and with a reviewer that
errs, gold rows, an audit and a target."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from autoannotator.api import Run, annotate, open_run
from hub.server import HubServer
from records.folder import read_record
from records.outcome import Certificate
from records.rows import label_columns
from records.task_file import write_task
from specialists.weighing import WeighingRecord
from tests.llm_server import play_team, serving
from tests.tiny_sets import LABELS, SENTENCE, TASK, build_sets_hub, make_texts, set_of

ROWS, STAGE = 160, 80
EMPTY = 5
"""A row without a text."""
GOLD = range(0, 40)
"""Rows whose labels the person gives."""

pytestmark = pytest.mark.xdist_group("label_sets")


def write_rows() -> pd.DataFrame:
    texts = make_texts(ROWS, seed=99)
    texts[EMPTY] = "  "
    return pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "text": texts})


def judge(text: str) -> tuple[str, ...]:
    """Return what the reviewer says: of one text in ten that it has no label."""
    return () if hashlib.sha256(text.casefold().encode()).digest()[0] < 26 else set_of(text)


def run(hub: str, folder: Path, name: str, **settings: Any) -> Run:
    write_task(folder / "task.yaml", TASK)
    options = {"sandbox": "process", "stage_size": STAGE, "models": 2, **settings}
    given = {"data": write_rows(), "task_file": str(folder / "task.yaml"), "hub": hub, "out": folder / name}
    return annotate(SENTENCE, **given, yes=True, **options)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with HubServer(build_sets_hub(tmp_path_factory.mktemp("hub"))) as server:
        yield server.url


@pytest.fixture(scope="module")
def folder(run_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the runs are; for as long as there are any, the reviewer answers."""
    with serving(play_team(LABELS, judge, lambda name: name)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        for name in ("AUTOANNOTATOR_CACHE", "HF_HOME"):
            patch.setenv(name, run_environment[name])
        yield tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def offline(hub: str, folder: Path) -> Run:
    """Without a language model, with fine-tunes."""
    return run(hub, folder, "offline", pool_size=10)


@pytest.fixture(scope="module")
def reviewed(hub: str, folder: Path) -> Run:
    """With a reviewer that errs, and gold rows; the audit has its fixed size."""
    rows = write_rows().iloc[GOLD]
    gold = rows.assign(label=[list(set_of(text)) for text in rows["text"]])
    gold.loc[gold.index[EMPTY], "label"] = None
    gold[["id", "label"]].to_json(folder / "gold.jsonl", orient="records", lines=True)
    settings = {"llm": "openai:scripted", "gold": str(folder / "gold.jsonl"), "learning": False}
    return run(hub, folder, "reviewed", worth=0.01, **settings)


def measure_right(labels: pd.DataFrame) -> float:
    """Return the share of the labelled rows whose whole set is right."""
    known = labels[labels["label"].notna()]
    return float(known.apply(lambda row: tuple(row["label"]) == set_of(row["text"]), axis=1).mean())


def test_the_labelled_file_has_lists_of_labels(offline: Run) -> None:
    table = pq.read_table(offline.folder.labels)
    assert table.schema.field("label").type == label_columns("multi_label")["label"]
    assert table.schema.field("votes").type == label_columns("multi_label")["votes"]
    labels = offline.labels
    assert labels["id"].tolist() == [f"r{n}" for n in range(ROWS)]
    assert labels["label"].isna().tolist() == [n == EMPTY for n in range(ROWS)]
    assert labels["reason"][EMPTY] == "the row has no text"
    sizes = labels["label"].dropna().map(len)
    assert set(sizes) >= {0, 1, 2}, "texts have none, one or two labels"
    assert labels["confidence"].dropna().between(0.0, 1.0).all()


def test_a_run_without_a_language_model_is_mostly_right(offline: Run) -> None:
    assert measure_right(offline.labels) > 0.6
    assert set(offline.labels["source"].dropna()) == {"vote", "offline"}


def test_specialists_learn_sets_of_labels(offline: Run) -> None:
    gates = sorted(offline.folder.path.glob("models/*/v1/gate.json"))
    assert len(gates) == 2, "both were fine-tuned and judged"
    judged = [json.loads(path.read_text(encoding="utf-8")) for path in gates]
    assert all("held-out rows" in one["reason"] and one["accuracy_before"] > 0 for one in judged), judged


def test_the_report_counts_labels_and_rows_without_any(offline: Run) -> None:
    page = offline.folder.report.read_text(encoding="utf-8")
    assert "none of the labels" in page
    for label in LABELS:
        assert label in page


def test_gold_rows_keep_their_labels(reviewed: Run) -> None:
    labels = reviewed.labels
    given = [number for number in GOLD if number != EMPTY]
    assert (labels["source"][given] == "gold").all()
    assert [tuple(one) for one in labels["label"][given]] == [set_of(text) for text in labels["text"][given]]


def test_answers_are_evidence_for_each_label(reviewed: Run) -> None:
    record = read_record(reviewed.folder.combination(0), WeighingRecord)
    assert len(record.combinations) == len(record.thresholds or ()) == len(LABELS)
    labels = reviewed.labels
    asked = labels[labels["review_label"].notna() & (labels["source"] != "gold")]
    assert len(asked) > 10
    assert asked["confidence"].notna().all()
    overruled = asked[[tuple(row["label"]) != tuple(row["review_label"]) for _, row in asked.iterrows()]]
    assert (overruled["source"] == "vote").all()
    assert measure_right(labels) > 0.8


def test_the_audit_bounds_how_many_sets_differ_from_the_reviewers(reviewed: Run) -> None:
    certificate = read_record(reviewed.folder.certificate, Certificate)
    labels = reviewed.labels[reviewed.labels["label"].notna()]
    assert (certificate.expert, certificate.rows) == ("llm", ROWS - 1)
    others = labels[labels["source"] != "gold"]
    differing = sum(tuple(row["label"]) != judge(row["text"]) for _, row in others.iterrows())
    assert certificate.bound is not None
    assert differing <= certificate.bound * certificate.rows


def test_a_target_takes_the_reviewers_sets(reviewed: Run) -> None:
    again = open_run(reviewed.folder.path).resume(target_error=0.1, yes=True)
    certificate = read_record(again.folder.certificate, Certificate)
    assert certificate.status == "certified", certificate
    labels = again.labels[again.labels["label"].notna()]
    others = labels[labels["source"] != "gold"]
    differing = sum(tuple(row["label"]) != judge(row["text"]) for _, row in others.iterrows())
    assert differing <= 0.1 * (ROWS - 1)
