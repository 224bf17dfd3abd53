"""The benchmark of voting: its reviewers, its streams, its figures, and once whole on the starter hub."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.command_line import main
from bench.outputs import Outputs
from bench.reviewers import BIAS, REVIEWERS, Reviewer, answer_rows
from bench.streams import SAMPLES, STREAMS, Stream, StreamPlan, map_classes, read_stream, read_streams
from bench.voting import METHODS, run_seed
from bench.voting_measures import Figures, VotingRun, calibration_error, summarise_runs
from bench.voting_run import run_stages
from hub.starter.recipes import RECIPES
from hub.starter.split import side

CORPUS = {recipe.name: recipe.corpus for recipe in RECIPES}


def make_stream(rows: int = 1000) -> Stream:
    rng = np.random.default_rng(0)
    return Stream(
        name="made",
        kind="foreign",
        labels=("negative", "neutral", "positive"),
        texts=tuple(f"text number {number}" for number in range(rows)),
        gold=rng.integers(0, 3, rows),
        hardness=rng.permutation(rows) / rows,
        specialists=("a", "b"),
    )


def make_outputs(stream: Stream) -> Outputs:
    rng = np.random.default_rng(1)
    rows = len(stream.gold)
    votes = np.where(rng.random((2, rows)) < 0.7, stream.gold, rng.integers(0, 3, (2, rows)))
    states = np.eye(3)[stream.gold] + rng.normal(size=(rows, 3))
    return Outputs(0.8 * np.eye(3)[votes] + 0.2 / 3, states.astype(np.float32))


@pytest.mark.parametrize("reviewer", [one for one in REVIEWERS if one.biased_to is None], ids=lambda one: one.name)
def test_a_reviewer_errs_as_often_as_it_should_and_mostly_on_hard_rows(reviewer: Reviewer) -> None:
    stream = make_stream(6000)
    wrong = answer_rows(reviewer, stream, seed=1).label != stream.gold
    assert 1 - wrong.mean() == pytest.approx(reviewer.accuracy, abs=0.02)
    easy, hard = wrong[stream.hardness < 0.5].mean(), wrong[stream.hardness >= 0.5].mean()
    assert hard > 1.5 * easy


def test_the_biased_reviewer_errs_towards_its_label() -> None:
    stream = make_stream(6000)
    label = answer_rows(next(one for one in REVIEWERS if one.name == "biased"), stream, seed=1).label
    assert (label[stream.gold != 0] == 0).mean() == pytest.approx(BIAS, abs=0.03)
    assert (label[stream.gold == 0] == 0).mean() > 0.9
    assert set(label[label != stream.gold]) <= {0, 1}


def test_the_same_text_gets_the_same_answer_whatever_stands_around_it() -> None:
    stream = make_stream()
    answers = [answer_rows(REVIEWERS[0], stream, seed) for seed in (1, 1, 2)]
    assert (answers[0].label == answers[1].label).all()
    assert (answers[0].label != answers[2].label).any()


def test_who_is_sure_is_right_more_often_and_too_sure() -> None:
    stream = make_stream(6000)
    answers = answer_rows(next(one for one in REVIEWERS if one.sure), stream, seed=1)
    right, sure = answers.label == stream.gold, answers.sureness > np.median(answers.sureness)
    assert right[sure].mean() > right[~sure].mean() + 0.05
    assert answers.sureness.mean() > right.mean()


@pytest.mark.parametrize("plan", [*STREAMS, *SAMPLES], ids=lambda plan: plan.name)
def test_no_foreign_specialist_has_seen_the_streams_corpora(plan: StreamPlan) -> None:
    foreign, home = (plan.choose_specialists(kind) for kind in ("foreign", "home"))
    assert len(set(foreign)) == len(set(home)) == 3
    assert not {CORPUS[name] for name in foreign} & set(plan.corpora)
    assert {CORPUS[name] for name in home} & set(plan.corpora)
    for name in (*foreign, *home):
        assert {label for label in map_classes(name, plan.labels).values() if label} <= set(plan.labels)


def test_the_shipped_sample_is_read_whole_and_of_the_held_out_side() -> None:
    streams = read_streams(None)
    assert {one.name for one in streams} == {"reviews", "tweets_offensive"}
    for stream in streams:
        assert len(stream.texts) == len(stream.gold) == len(stream.hardness)
        assert 0.0 < stream.hardness.min() < stream.hardness.max() < 1.0
        assert all(side(text) == "held_out" for text in stream.texts)


def test_a_home_stream_holds_no_text_that_taught_its_specialist(tmp_path: Path) -> None:
    texts = [f"sentence {number} of a corpus" for number in range(200)]
    rows = {"id": texts, "text": texts, "label": ["positive", "negative"] * 100, "mean_groundtruth": [1.0, -1.0] * 100}
    rows = {name: [*column, *column[:2]] for name, column in rows.items()}
    rows["label"][-1] = "positive"  # the second text with another label
    pq.write_table(pa.table(rows), tmp_path / "vader_tweets.parquet")
    plan = STREAMS[0]
    foreign, home = (read_stream(plan, tmp_path, kind) for kind in ("foreign", "home"))
    assert len(foreign.texts) == 199
    assert home.texts == tuple(text for text in foreign.texts if side(text) == "held_out")


def test_stages_end_where_they_should_and_repeat() -> None:
    stream = make_stream()
    outputs, answers = make_outputs(stream), answer_rows(REVIEWERS[2], stream, seed=1)
    first, second = (list(run_stages(stream, outputs, answers, stops=(200, 450), seed=3)) for _ in range(2))
    counts = [one.reviewed for one in first]
    assert counts == sorted(counts)
    assert {200, 450} <= set(counts)
    assert counts[-1] == 450
    for one, other in zip(first, second, strict=True):
        assert (one.label == other.label).all()
    assert (first[-1].label == stream.gold).mean() > (first[0].label == stream.gold).mean()


def test_every_method_is_measured_and_a_perfect_choice_bounds_the_rule() -> None:
    stream = make_stream()
    run = run_seed(stream, make_outputs(stream), REVIEWERS[2], seed=1)
    assert set(run.methods) == set(METHODS) - {"calibrated_gold"}
    accuracy = {name: one.accuracy for name, one in run.methods.items()}
    assert accuracy["paper_rule"] < accuracy["perfect_choice"] <= accuracy["perfect_choice_ceiling"]
    assert run.methods["perfect_choice"].reviewed == run.methods["paper_rule"].reviewed
    assert run.methods["calibrated_20"].reviewed == 0.2
    assert run.methods["calibrated_20"].tokens < 0.25 * run.tokens_batched
    measures = {one.name: one for one in summarise_runs([run, run.model_copy(update={"seed": 2})])}
    assert measures["2_gap_closed_mean"].value == pytest.approx(run.gap_closed)
    assert measures["4_calibration_error_worst"].value is None


def make_runs(stream: str, gains: tuple[float, ...]) -> list[VotingRun]:
    """Return runs of a stream, a seed each, that gain so much on the best single specialist."""

    def figures(accuracy: float) -> Figures:
        return Figures(accuracy=accuracy, macro_f1=0, calibration_error=0, reviewed=0.5, tokens=1, dollars=0)

    accuracy = {"best_single": 0.7, "paper_rule": 0.6, "perfect_choice": 0.9, "reviewer_alone": 0.95}
    return [
        VotingRun(
            stream=stream, kind="home", rows=1000, reviewer="0.85", seed=seed, curve=(), tokens_singly=1,
            tokens_batched=1,
            methods={
                name: figures(one)
                for name, one in (accuracy | dict.fromkeys(("calibrated", "calibrated_20"), 0.7 + gain)).items()
            },
        )
        for seed, gain in enumerate(gains)
    ]  # fmt: skip


def test_a_measure_of_every_stream_is_missed_where_one_stream_surely_misses_it() -> None:
    unsure, sure, good = (make_runs("a", (-0.3, 0.2)), make_runs("b", (-0.02, -0.021)), make_runs("c", (0.1, 0.11)))

    def measure(runs: list[VotingRun]) -> tuple[float, bool | None]:
        found = next(one for one in summarise_runs(runs) if one.name == "1_worst_gain_on_best_single")
        return round(found.value or 0.0, 4), found.ok

    assert measure(unsure + good) == (-0.05, True)
    assert measure(unsure + sure + good) == (-0.0205, False)
    assert measure(good) == (0.105, True)
    assert measure(make_runs("a", (-0.3,))) == (-0.3, None)


def test_calibration_error_of_a_known_case() -> None:
    confidence = np.repeat([0.6, 0.9], 500)
    right = np.concatenate([np.arange(500) < 300, np.arange(500) < 400])
    shuffled = np.random.default_rng(0).permutation(500)
    right[:500], right[500:] = right[:500][shuffled], right[500:][shuffled]
    assert calibration_error(confidence, np.ones(1000, dtype=np.bool_)) == pytest.approx(0.25)
    assert 0.04 < calibration_error(confidence, right) < 0.08


@pytest.mark.encoder
def test_the_quick_benchmark_runs_on_the_shipped_sample(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, run_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    assert main(["voting", "--quick", "--json", "--out", str(tmp_path / "raw")]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "shipped sample" in result["data"]
    assert {one["name"] for one in result["measures"]} > {"2_gap_closed_mean", "3_tokens_saved_to_batches"}
    raw = json.loads((tmp_path / "raw" / "voting.json").read_text(encoding="utf-8"))
    assert {one["kind"] for one in raw["repetitions"]} == {"foreign", "home"}


def test_a_folder_without_the_corpora_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voting", "--data", str(tmp_path)]) == 2
    assert "vader_tweets.parquet" in capsys.readouterr().err
