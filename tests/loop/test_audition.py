"""The audition in whole runs: what the classes mean is found on the rows, and who is worth a vote."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from records.candidate import slug_of
from tests.conftest import Cli
from tests.llm_server import play_team, serving
from tests.odd_hub import THREE, TWO, Auditioned, Odd, label_odd, run_odd, write_odd_hub, write_rows

LIARS = {
    "ann/honest-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=0),
    "ann/reversed-sentiment": Odd(("negative", "positive"), ("positive", "negative"), mistaken=1),
    "bob/numbered-sentiment": Odd(("LABEL_0", "LABEL_1"), ("negative", "positive"), mistaken=2),
    "bob/french-sentiment": Odd(("négatif", "positif"), ("negative", "positive"), mistaken=3),
    "eve/lying-sentiment": Odd(
        ("LABEL_0", "LABEL_1"), ("positive", "negative"), mistaken=4,
        says="LABEL_0 means negative and LABEL_1 means positive.",
    ),
    "eve/random-sentiment": Odd(("negative", "positive"), ("negative", "positive"), rounds=0),
}  # fmt: skip
"""Two labels: the names are true, reversed, missing, of another language, contradicted by the card, or mean nothing.
"""
HONEST = ("ann/honest-sentiment", "bob/french-sentiment")
WRONG = ("ann/reversed-sentiment", "bob/numbered-sentiment", "eve/lying-sentiment")

liars_group = pytest.mark.xdist_group("liars")  # one worker, one Hub and one run with gold rows


@pytest.fixture(scope="module")
def liars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_odd_hub(tmp_path_factory.mktemp("liars"), LIARS)


@pytest.fixture(scope="module")
def judged(cli: Cli, liars: Path, tmp_path_factory: pytest.TempPathFactory) -> Auditioned:
    """A run in which gold rows judge, half of all."""
    folder = tmp_path_factory.mktemp("judged")
    data, gold = write_rows(folder, TWO, 5, gold=0.6)
    return run_odd(cli, liars, TWO, data, folder / "out", "--gold", gold, "--models", "5")


@liars_group
def test_gold_rows_find_what_every_class_means(judged: Auditioned) -> None:
    assert judged.maps == {name: LIARS[name].label_map for name in (*HONEST, *WRONG)}
    status = {name: one["label_map"]["status"] for name, one in judged.auditions.items()}
    assert {name: status[name] for name in HONEST} == dict.fromkeys(HONEST, "verified")
    assert {name: status[name] for name in WRONG} == dict.fromkeys(WRONG, "corrected")


@liars_group
def test_what_was_corrected_is_written_and_tested_anew(judged: Auditioned) -> None:
    for one in judged.lock.specialists:
        attempt = judged.folder.path / one.script
        assert attempt.name == ("attempt-02" if one.repo_id in WRONG else "attempt-01")
        assert json.loads((attempt / "test_result.json").read_text())["cause"] == "ok"
        assert json.loads((attempt / "verdict.json").read_text())["approved"]


@liars_group
def test_the_votes_are_those_of_the_true_maps(judged: Auditioned) -> None:
    labels = pd.read_parquet(judged.folder.labels)
    truth = labels["text"].map(label_odd)
    assert (labels["label"] == truth).mean() > 0.97
    for name in (*HONEST, *WRONG):
        votes = labels["votes"].map(dict).str.get(slug_of(name))
        right = (votes == truth).mean()
        assert right > 0.85
        assert abs(judged.auditions[name]["accuracy"] - right) < 0.1


@liars_group
def test_a_model_that_knows_nothing_has_no_vote(judged: Auditioned) -> None:
    assert "eve/random-sentiment" not in judged.maps
    assert not judged.auditions["eve/random-sentiment"]["passed"]
    assert "no better than chance" in judged.dropped["eve/random-sentiment"] or (
        "unverified" in judged.dropped["eve/random-sentiment"]
    )


@liars_group
def test_the_probe_and_every_audition_are_written_down(judged: Auditioned) -> None:
    probe = pq.read_table(judged.folder.audition / "probe.parquet")
    assert probe.column_names == ["row", "inclusion", "label"]
    assert len(probe) == 60
    inclusion = probe["inclusion"].to_numpy()
    assert inclusion.min() > 0
    assert inclusion.max() <= 1
    texts = pd.read_parquet(judged.folder.labels)["text"]
    assert probe["label"].to_pylist() == [label_odd(texts[row]) for row in probe["row"].to_pylist()]
    assert set(judged.auditions) == set(LIARS)
    for one in judged.auditions.values():
        assert (one["rows"], one["truth"]) == (60, "gold")
        assert one["cost"]["parameters"] > 0
        assert one["cost"]["tokens"] > 5
        assert one["cost"]["memory"] > 0
        assert one["cost"]["seconds"] > 0
    assert sum(one.audition.weight for one in judged.lock.specialists) == pytest.approx(1)


@liars_group
def test_the_reviewer_finds_what_every_class_means(cli: Cli, liars: Path, tmp_path: Path) -> None:
    """Of 200 rows it is asked for 40. A model of each kind: its names are true, its names lie, its card lies."""
    named = ("ann/honest-sentiment", "ann/reversed-sentiment", "eve/lying-sentiment")
    for name in named:
        shutil.copytree(liars / name, tmp_path / "hub" / name)
    data, _ = write_rows(tmp_path, TWO, 10)
    with serving(play_team(TWO, label_odd, lambda name: "positive" if name[-1] in "e1" else "negative")) as server:
        run = run_odd(
            cli, tmp_path / "hub", TWO, data, tmp_path / "out", "--llm", "openai:scripted",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert run.maps == {name: LIARS[name].label_map for name in named}
    inclusion = pq.read_table(run.folder.audition / "probe.parquet")["inclusion"].to_numpy()
    assert len(inclusion) == 40
    assert inclusion.min() > 0
    assert inclusion.max() < 1
    assert (1 / inclusion).sum() == pytest.approx(200)
    assert {one["truth"] for one in run.auditions.values()} == {"llm"}


def test_without_a_label_a_map_that_is_not_sure_has_no_vote_and_the_run_says_why(cli: Cli, tmp_path: Path) -> None:
    models = {**LIARS, "ann/second-sentiment": Odd(("neg", "pos"), ("negative", "positive"), mistaken=5)}
    kept = (*HONEST, "ann/second-sentiment", *WRONG)
    hub = write_odd_hub(tmp_path / "hub", {name: models[name] for name in kept if not name.startswith("eve/")})
    data, _ = write_rows(tmp_path, TWO, 5)
    run = run_odd(cli, hub, TWO, data, tmp_path / "out", "--models", "5")
    assert run.maps == {name: models[name].label_map for name in (*HONEST, "ann/second-sentiment")}
    assert "disagree with the others' consensus" in run.dropped["ann/reversed-sentiment"]
    assert "neither its label names nor its card say" in run.dropped["bob/numbered-sentiment"]
    assert {one["truth"] for one in run.auditions.values()} == {"consensus"}
    assert run.printed.count("unverified") >= 2
    assert "neither its label names nor its card say" in " ".join(run.printed.split())


THREES = {
    "ann/whole-sentiment": Odd(THREE, THREE, mistaken=0),
    "ann/turned-sentiment": Odd(("positive", "negative", "neutral"), ("negative", "neutral", "positive"), mistaken=1),
    "bob/pair-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=2),
    "bob/more-sentiment": Odd(("negative", "neutral", "positive", "sarcastic"), (*THREE[::-1], None), mistaken=3),
}
"""Three labels: true, turned, one too few, and one too many beside two that are swapped."""


def test_a_missing_and_an_extra_class_are_read_as_what_they_are(cli: Cli, tmp_path: Path) -> None:
    hub = write_odd_hub(tmp_path / "hub", THREES)
    data, gold = write_rows(tmp_path, THREE, 4)
    run = run_odd(cli, hub, THREE, data, tmp_path / "out", "--gold", gold, "--models", "4")
    assert run.maps == {name: model.label_map for name, model in THREES.items() if name in run.maps}
    assert set(run.maps) | set(run.dropped) == set(THREES)
    assert {"ann/whole-sentiment", "ann/turned-sentiment", "bob/more-sentiment"} <= set(run.maps)
    found = {name: one["label_map"]["found"] for name, one in run.auditions.items()}
    assert found["bob/pair-sentiment"] == {"0": "negative", "1": "positive"}
    assert run.auditions["ann/turned-sentiment"]["label_map"]["status"] == "corrected"


def test_a_near_copy_counts_once(cli: Cli, tmp_path: Path) -> None:
    """The second was taught by other sentences, and gives every row the first one's label."""
    models = {
        "ann/first-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=0),
        "ann/other-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=1),
        "bob/again-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=0),
    }
    data, gold = write_rows(tmp_path, TWO, 5)
    hub = write_odd_hub(tmp_path / "hub", models)
    run = run_odd(cli, hub, TWO, data, tmp_path / "out", "--gold", gold)
    (copy,) = run.dropped
    assert copy != "ann/other-sentiment"
    assert "a near-copy of" in run.dropped[copy]
    assert "gives the same label on 100.0% of the rows" in run.dropped[copy]


def test_a_dearer_model_must_earn_its_cost(cli: Cli, tmp_path: Path) -> None:
    """Two models of one accuracy that are wrong on different rows: the smaller one is taken."""
    truth = ("negative", "positive")
    models = {
        "ann/large-sentiment": Odd(truth, truth, mistaken=0, width=160),
        "bob/small-sentiment": Odd(truth, truth, mistaken=1),
    }
    data, gold = write_rows(tmp_path, TWO, 5)
    hub = write_odd_hub(tmp_path / "hub", models)
    run = run_odd(cli, hub, TWO, data, tmp_path / "out", "--gold", gold, "--models", "1")
    large, small = (run.auditions[name] for name in models)
    assert large["accuracy"] == small["accuracy"]
    assert large["cost"]["parameters"] > 10 * small["cost"]["parameters"]
    assert list(run.maps) == ["bob/small-sentiment"]
