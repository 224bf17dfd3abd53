"""The ways in: every format, a question at the terminal, the Python API, and which sandbox is taken."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from autoannotator import annotate, open_run
from autoannotator.command_line import main
from records.errors import SettingsError, TaskUnclearError
from records.folder import RunFolder
from records.rows import TEXT
from tests.conftest import SENTENCE, Cli
from tests.llm_server import serving
from tests.terminal import talk
from tests.tiny_hub import make_sentences

NO_HUB = "http://127.0.0.1:9"
"""Nothing answers there: a run ends once its rows are read."""
ASKED = "Labels, separated by commas: "
QUICK = ("--sandbox", "process", "--models", "1", "--no-learning")

WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "txt": lambda frame, path: path.write_text("\n".join(frame["text"])),
    "json": lambda frame, path: frame.to_json(path, orient="records"),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


def make_frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"text": [text for text, _ in make_sentences(rows, seed=4)], "n": range(rows)})


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_is_read_into_the_same_rows(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that comes after reads these rows, and no file of the person's."""
    frame = make_frame(24)
    WRITERS[kind](frame, tmp_path / f"rows.{kind}")
    out = tmp_path / "out"
    arguments = ("--data", str(tmp_path / f"rows.{kind}"), "--hub", NO_HUB, "--out", str(out), *QUICK)
    assert main(["run", SENTENCE, *arguments]) == 5, "no Hub answers"
    assert "text column text · labels positive, negative" in capsys.readouterr().err
    rows = pd.read_parquet(RunFolder(out).input)
    assert rows[TEXT].tolist() == rows["text"].tolist() == frame["text"].tolist()
    if kind != "txt":
        assert rows["n"].astype(int).tolist() == list(range(24))


@pytest.fixture(scope="module")
def labelled(cli: Cli, one_model_hub: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A working directory with a finished run in its usual place; the run's name, and what it told."""
    folder = tmp_path_factory.mktemp("labelled")
    make_frame(24).to_csv(folder / "rows.csv", index=False)
    done = cli("run", SENTENCE, "--data", folder / "rows.csv", "--hub", one_model_hub, *QUICK, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])["run"], done.stderr


@pytest.mark.xdist_group("labelled")
def test_a_file_is_labelled_and_what_was_inferred_told_first(labelled: tuple[Path, str, str]) -> None:
    folder, run, printed = labelled
    told = printed.index("text column text · labels positive, negative")
    assert told < printed.index("Stage 1/1"), "what was inferred is printed before work starts"
    labels = pd.read_parquet(folder / "generated" / run / "labels.parquet")
    assert labels["text"].tolist() == make_frame(24)["text"].tolist()
    assert labels["label"].isin(["positive", "negative"]).all()


def test_odd_rows_are_labelled_all_the_same(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    texts = make_frame(6)["text"].tolist()
    texts[1] = "a good film " * 9000  # over 100,000 characters
    rows = [f"{number},{text}".encode() for number, text in zip(["7", "7", "", "9", "9", "x"], texts, strict=True)]
    rows[3] += " \xe9t\xe9".encode("latin-1")
    rows[4] += " \u00e9t\u00e9".encode()
    (tmp_path / "odd.csv").write_bytes(b"id,text\n" + b"\n".join(rows) + b"\n")
    out = tmp_path / "out"
    done = cli("run", SENTENCE, "--data", tmp_path / "odd.csv", "--hub", one_model_hub, "--out", out, *QUICK)
    assert done.returncode == 0, done.stderr
    labelled = pd.read_parquet(out / "labels.parquet")
    assert labelled["label"].isin(["positive", "negative"]).all()
    assert labelled["id"].fillna("").tolist() == ["7", "7", "", "9", "9", "x"]
    assert labelled["text"].str.endswith(" \u00e9t\u00e9").tolist() == [False, False, False, True, True, False]
    assert "1 lines are not in the file's encoding" in done.stderr


def test_a_sparse_and_one_sided_file_is_labelled(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    texts = [""] * 400
    texts[123] = texts[321] = "The film was good and the cast great"
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "sparse.parquet")
    out = tmp_path / "out"
    done = cli("run", SENTENCE, "--data", tmp_path / "sparse.parquet", "--hub", one_model_hub, "--out", out, *QUICK)
    assert done.returncode == 3, done.stderr
    labelled = pd.read_parquet(out / "labels.parquet")
    assert labelled["label"].notna().sum() == 2
    assert labelled["label"].dropna().nunique() == 1


def test_a_terminal_is_asked_what_cannot_be_told_and_a_killed_question_is_asked_again(
    one_model_hub: str, run_environment: dict[str, str], tmp_path: Path
) -> None:
    data, out = tmp_path / "rows.txt", tmp_path / "out"
    data.write_text("\n".join(make_frame(12)["text"]), encoding="utf-8")
    command = [sys.executable, "-m", "autoannotator"]
    asked = talk(
        [*command, "run", "Sort these", "--data", str(data), "--hub", one_model_hub, "--out", str(out), *QUICK],
        run_environment,
        ASKED,
        answer=None,
    )
    assert ASKED in asked
    finished = talk([*command, "resume", str(out)], run_environment, ASKED, answer="positive, negative\n")
    assert "labels positive, negative" in finished
    assert pd.read_parquet(out / "labels.parquet")["label"].isin(["positive", "negative"]).all()


def test_the_python_api_labels_a_frame_and_opens_the_run_again(
    one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    frame = make_frame(24)
    events: list[object] = []
    run = annotate(
        SENTENCE, data=frame, hub=one_model_hub, sandbox="process", models=1, learning=False, out=tmp_path / "out",
        on_event=events.append,
    )  # fmt: skip
    assert run.labels["text"].tolist() == frame["text"].tolist()
    assert run.labels["n"].tolist() == list(range(24))
    assert run.report.is_file()
    assert run.certificate["status"] == "none"
    assert run.cost["roles"] == []
    assert events
    again = open_run(tmp_path / "out").resume()
    assert again.labels.equals(run.labels)


def test_the_python_api_raises_what_the_caller_can_mend(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean models"):
        annotate(SENTENCE, data=make_frame(2), out=tmp_path / "a", modles=3)
    with pytest.raises(SettingsError, match="allowed are a path"):
        annotate(SENTENCE, data=3, out=tmp_path / "b")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TaskUnclearError, match="--labels"):
        annotate("Sort these", data=make_frame(2), out=tmp_path / "c", sandbox="process")
    assert list(tmp_path.iterdir()) == []


def test_untrusted_weights_never_run_without_a_sandbox_unasked(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    make_frame(12).to_csv(tmp_path / "rows.csv", index=False)
    bare = tmp_path / "bin"
    bare.mkdir()
    done = cli(
        "run", SENTENCE, "--data", tmp_path / "rows.csv", "--hub", one_model_hub, "--out", tmp_path / "out",
        PATH=str(bare), DOCKER_HOST=f"unix://{tmp_path}/no-engine",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "bubblewrap" in done.stderr
    assert "--sandbox process" in done.stderr
    assert not list((tmp_path / "out").glob("scripts/*/*/test_result.json"))


@pytest.mark.xdist_group("labelled")
def test_runs_are_listed_and_deleted_only_on_demand(
    labelled: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, run, _ = labelled
    shutil.copytree(folder / "generated", tmp_path / "generated")
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "list"]) == 0
    assert run in capsys.readouterr().out
    assert main(["runs", "delete", run]) == 2
    assert (tmp_path / "generated" / run).exists()
    assert main(["runs", "delete", run, "--yes"]) == 0
    assert not (tmp_path / "generated" / run).exists()


def test_two_processes_never_work_in_one_run(one_model_hub: str, cli: Cli, tmp_path: Path) -> None:
    make_frame(12).to_csv(tmp_path / "rows.csv", index=False)
    out = tmp_path / "out"
    assert cli("run", SENTENCE, "--data", tmp_path / "rows.csv", "--hub", NO_HUB, "--out", out, *QUICK).returncode == 5
    with RunFolder.open(out).locked():
        done = cli("resume", out)
    assert done.returncode == 2
    assert "another process" in done.stderr


def test_a_run_tells_nobody_whatever_is_set_for_tracing(cli: Cli, tmp_path: Path) -> None:
    make_frame(12).to_csv(tmp_path / "rows.csv", index=False)
    with serving(lambda request: "{}") as listener:
        address = listener.base_url.removesuffix("/v1")
        done = cli(
            "run", SENTENCE, "--data", tmp_path / "rows.csv", "--hub", NO_HUB, "--out", tmp_path / "out",
            LANGSMITH_TRACING="true", LANGSMITH_TRACING_V2="true", LANGCHAIN_TRACING_V2="true", LANGSMITH_API_KEY="x",
            LANGSMITH_ENDPOINT=address,
        )  # fmt: skip
        assert done.returncode == 5, done.stderr
        assert listener.hits == 0


def test_a_cache_that_cannot_be_written_is_named(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    make_frame(12).to_csv(tmp_path / "rows.csv", index=False)
    arguments = [
        "run",
        SENTENCE,
        "--data",
        tmp_path / "rows.csv",
        "--hub",
        one_model_hub,
        "--out",
        tmp_path / "out",
        *QUICK,
    ]
    done = cli(*arguments, AUTOANNOTATOR_CACHE="/proc/none")
    assert done.returncode == 2
    assert "AUTOANNOTATOR_CACHE" in done.stderr
