"""The certificate's benchmark: what it prints, and that its simulation would show an untrue statement."""

import json

import numpy as np
import pytest

from bench.certificate import list_scenarios
from bench.certificate_costs import Case, find_difference_risk, find_least_reviews, simulate_costs
from bench.command_line import main
from bench.rates import SimulatedRun, estimate_rate, summarise_violations
from bench.simulated_runs import World, learn, make_stream, play_target


def make_runs(violated: int, runs: int) -> list[SimulatedRun]:
    return [SimulatedRun(scenario="s", verdict="bound", violated=i < violated) for i in range(runs)]


def test_a_rate_misses_only_with_its_whole_interval() -> None:
    rate, interval = estimate_rate([True] * 60 + [False] * 940)
    assert rate == 0.06
    assert interval == pytest.approx((0.0461, 0.0766), abs=1e-4)
    judged = [summarise_violations("v", make_runs(k, 1000), 0.05, few=False).ok for k in (40, 60, 70)]
    assert judged == [True, True, False]
    assert summarise_violations("v", make_runs(0, 10), 0.05, few=True).ok is None
    assert summarise_violations("v", make_runs(9, 10), 0.05, few=True).ok is False


def test_the_simulation_shows_what_is_untrue() -> None:
    """With an error probability near 1 the same audits state what is not true."""
    untrue = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scores, stream = make_stream(rng, World(drift=1.0))
        stream = learn(rng, scores, stream, 300)
        untrue.append(not play_target(rng, stream, 0.1, (0.9, 0.9)).true)
    assert sum(untrue) > 2


def test_copies_have_one_answer_and_are_reviewed_together() -> None:
    rng = np.random.default_rng(0)
    _, stream = make_stream(rng, World(rows=500, copies=0.5, accuracy=0.8))
    sizes = np.bincount(stream.group)
    largest = int(sizes.argmax())
    assert sizes[largest] > 3
    copies = stream.group == largest
    assert len(np.unique(stream.answer[copies])) == len(np.unique(stream.label[copies])) == 1
    after = stream.review(np.flatnonzero(copies)[:1])
    assert (after.reviewed == copies).all()
    assert not after.differs[copies].any()


def test_the_reviewer_is_as_good_as_it_is_said_to_be() -> None:
    risk = find_difference_risk(np.zeros(10) + 0.3, 0.85)
    assert risk == pytest.approx(0.3 * 0.85 + 0.7 * 0.15)


def test_a_run_needs_more_reviews_than_its_labels_do() -> None:
    case = Case("hard", 0.85, 3000)
    runs = simulate_costs(case, 3)
    assert {one.verdict for one in runs} == {"certified"}
    least = find_least_reviews(case.draw_risk(np.random.default_rng(0)), 300)
    for one in runs:
        assert one.fewest < one.reviews < 3000
        assert one.fewest < least < 3000


def test_scenarios_are_reproducible() -> None:
    play = list_scenarios()["changed_copies"]
    assert play(np.random.default_rng(5)) == play(np.random.default_rng(5))


def test_the_benchmark_runs(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert main(["certificate", "--quick", "--seeds", "1", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    names = [one["name"] for one in printed["measures"]]
    assert {f"violations_{name}" for name in list_scenarios()} <= set(names)
    assert {"width_always_10", "width_fixed_size_10", "within_hard_85_3000", "extra_least_easy_95_3000"} <= set(names)
    assert all(one["ok"] is not True for one in printed["measures"]), "one run proves nothing"
    raw = json.loads((tmp_path / "certificate.json").read_text())
    assert len(raw["repetitions"]) == len(list_scenarios()) + 6 + 2
    streams = {name for name in names if name.startswith("within_stream_")}
    assert {name.rpartition("_")[2] for name in streams} == {"0.85", "0.95"}, "one real stream, two reviewers"
