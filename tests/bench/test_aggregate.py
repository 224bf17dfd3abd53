"""The benchmark of aggregation, on few rows."""

import json

import pytest

from bench.aggregate import measure_ways, summarise_repetitions
from bench.command_line import main


def test_ours_is_measured_with_and_without_a_peer() -> None:
    alone = measure_ways(2000, seed=1)
    assert alone.seconds["ours"] > alone.seconds["calibrated"] > 0
    peers = {"crowd_kit_majority": 2 * alone.seconds["majority"], "crowd_kit_dawid_skene": 1.0}
    together = alone.model_copy(update={"seconds": alone.seconds | peers})
    measures = {one.name: one for one in summarise_repetitions([together])}
    assert measures["time_of_majority_to_crowd_kit"].value == pytest.approx(0.5)
    assert measures["time_of_majority_to_crowd_kit"].ok
    missing = alone.model_copy(
        update={"seconds": {name: one for name, one in alone.seconds.items() if "crowd" not in name}}
    )
    lone = {one.name: one for one in summarise_repetitions([missing])}
    assert lone["time_of_majority_to_crowd_kit"].ok is None


def test_quick_prints_its_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aggregate", "--quick", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {one["name"] for one in result["measures"]} >= {"seconds_ours", "gigabytes_ours"}
