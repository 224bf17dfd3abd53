"""The throughput benchmark: on a tiny model, and once whole on the starter hub."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from bench.measuring import summarise
from bench.texts import draw_texts, read_texts
from bench.throughput import SHARD_ROWS, Plan, Repetition, Subject, fetch_subject, measure_ways, summarise_repetitions
from records.errors import ModelError
from tests.conftest import ROOT
from tests.tiny_hub import make_sentences

TEXTS = [text for text, _ in make_sentences(60, seed=5)]


@pytest.fixture
def tiny_subject(tiny_hub: str, run_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Subject:
    """A tiny sentiment model, ready to be measured; on one thread, as tests share the processor."""
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    return fetch_subject(tiny_hub, "tiny/film-sentiment").model_copy(update={"threads": 1})


def test_all_ways_label_all_rows_and_ours_agrees_with_the_pipeline(tiny_subject: Subject) -> None:
    told: list[str] = []
    plan = Plan(rows=SHARD_ROWS + 100, slow_rows=15, seeds=2)
    repetitions = measure_ways(tiny_subject, TEXTS, plan, told.append)
    assert [one.seed for one in repetitions] == [1, 2]
    assert all(set(one.rows_per_second) == {"ours", "pipeline", "one_by_one"} for one in repetitions)
    assert all(speed > 0 for one in repetitions for speed in one.rows_per_second.values())
    assert [one.agreement for one in repetitions] == [1.0, 1.0]
    assert "repetition 2 of 2" in told[-1]


def test_labels_that_differ_from_the_pipeline_s_lower_the_agreement(tiny_subject: Subject) -> None:
    negative, positive = tiny_subject.classes.values()
    swapped = tiny_subject.model_copy(update={"classes": {0: positive, 1: negative}})
    [repetition] = measure_ways(swapped, TEXTS, Plan(rows=40, slow_rows=10, seeds=1), print)
    assert repetition.agreement == 0.0


def test_a_way_that_fails_is_an_error_of_the_model(tiny_subject: Subject) -> None:
    wrong = tiny_subject.model_copy(update={"classes": {0: "a", 1: "b", 2: "c"}})
    with pytest.raises(ModelError, match="LABEL_MAP has the classes"):
        measure_ways(wrong, TEXTS, Plan(rows=10, slow_rows=10, seeds=1), print)


def test_a_model_that_is_not_there_is_an_error_of_the_model(tiny_hub: str) -> None:
    with pytest.raises(ModelError, match="tiny/no-such-model is not on the Hub"):
        fetch_subject(tiny_hub, "tiny/no-such-model")


def test_ratios_are_those_of_each_repetition() -> None:
    speeds = [(100.0, 50.0, 10.0), (90.0, 30.0, 9.0), (80.0, 20.0, 16.0)]
    ways = ("ours", "pipeline", "one_by_one")
    measures = summarise_repetitions(
        [
            Repetition(seed=seed, rows_per_second=dict(zip(ways, one, strict=True)), agreement=0.9)
            for seed, one in enumerate(speeds)
        ]
    )
    found = {one.name: one for one in measures}
    assert (found["rows_per_second_ours"].value, found["rows_per_second_ours"].interval) == (90, (80, 100))
    assert (found["speed_ours_to_pipeline"].value, found["speed_ours_to_pipeline"].interval) == (3, (2, 4))
    assert (found["speed_ours_to_one_by_one"].value, found["speed_ours_to_one_by_one"].interval) == (10, (5, 10))
    assert found["speed_ours_to_pipeline"].ok is None
    assert found["label_agreement_with_pipeline"].ok is False


@pytest.mark.parametrize(("samples", "ok"), [([0.97, 0.98], False), ([0.98, 0.99], True), ([1.0, 1.0], True)])
def test_a_target_is_missed_only_where_the_whole_interval_misses_it(samples: list[float], ok: bool) -> None:
    assert summarise("share", samples, "share", at_least=0.99).ok is ok


def test_texts_are_repeated_evenly_in_an_order_of_the_seed() -> None:
    drawn = draw_texts(TEXTS, 150, seed=1)
    assert set(Counter(drawn).values()) == {2, 3}
    assert drawn == draw_texts(TEXTS, 150, seed=1)
    assert drawn != draw_texts(TEXTS, 150, seed=2)


def test_texts_are_those_of_the_shipped_sample_or_of_every_parquet_file(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["one", None, "  "]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"text": ["two"], "n": [1]}).to_parquet(tmp_path / "b.parquet")
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "c.parquet")
    assert read_texts(tmp_path) == ["one", "two"]
    assert len(read_texts(None)) == 700


@pytest.mark.encoder
def test_the_benchmark_runs_whole_and_prints_one_object_last(tmp_path: Path) -> None:
    out = tmp_path / "measured"
    done = subprocess.run(
        [sys.executable, "-m", "bench.command_line", "throughput", "--quick", "--seeds", "1", "--json", "--out", out],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {"bench", "machine", "measures"} <= set(result)
    assert result["bench"] == "throughput"
    assert result["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert "700 texts of reviews.jsonl" in result["data"]
    for measure in result["measures"]:
        assert set(measure) == {"name", "value", "interval", "target", "ok", "unit"}
        assert measure["interval"][0] <= measure["value"] <= measure["interval"][1]
    found = {measure["name"]: measure for measure in result["measures"]}
    assert found["label_agreement_with_pipeline"]["ok"] is True
    raw = json.loads((out / "throughput.json").read_text(encoding="utf-8"))
    assert raw["result"] == result
    assert len(raw["repetitions"]) == 1
