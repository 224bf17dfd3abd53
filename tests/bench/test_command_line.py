"""The command line of the benchmarks: what it refuses, and how."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.command_line import BENCHMARKS, NOT_YET, main

DESIGNED = (
    *("sandbox", "hub", "voting", "certificate", "aggregate", "learning"),
    *("throughput", "scale", "paper", "peers"),
)


def test_every_benchmark_of_the_design_is_built_or_known_as_planned() -> None:
    assert sorted([*BENCHMARKS, *NOT_YET]) == sorted(DESIGNED)


@pytest.mark.parametrize("name", NOT_YET)
def test_a_planned_benchmark_is_refused_as_not_built_yet(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--json"]) == 2
    said = capsys.readouterr()
    assert f"the benchmark {name} is not built yet" in said.err
    assert "throughput" in said.err
    assert json.loads(said.out)["exit_status"] == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["through"], "invalid choice: 'through'"),
        ([], "NAME"),
        (["throughput", "--seeds", "0"], "at least 1"),
        (["throughput", "--sed", "3"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_ends_with_status_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_without_texts_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"text": [1, 2]}).to_parquet(tmp_path / "numbers.parquet")
    pd.DataFrame({"review": ["good"]}).to_parquet(tmp_path / "other.parquet")
    assert main(["throughput", "--data", str(tmp_path)]) == 2
    assert "no parquet file with a column `text` of strings" in capsys.readouterr().err


def test_a_broken_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    assert main(["throughput", "--data", str(tmp_path)]) == 2
    assert "broken.parquet" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_refused_before_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["throughput", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
