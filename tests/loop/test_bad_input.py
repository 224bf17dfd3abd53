"""Bad input ends with exit status 2, the file, the place and the reason, and leaves nothing behind."""

import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoannotator.command_line import main
from tests.conftest import SENTENCE


def make_sheets(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active.append(["one"])
    book.create_sheet("second").append(["text"])
    book["second"].append(["two"])
    book.save(path)


def make_truncated(path: Path) -> None:
    pq.write_table(pa.table({"text": ["a film", "a book"]}), path)
    path.write_bytes(path.read_bytes()[:-20])


def write(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


CASES = {
    "empty file": ("empty.csv", write(""), (), "empty"),
    "only a header": ("header.csv", write("text\n"), (), "no rows"),
    "no text column": ("numbers.csv", write("a,b\n1,2\n3,4\n"), (), "--text"),
    "a column that is not there": ("rows.csv", write("text,b\ngood film,2\n"), ("--text", "txet"), "text"),
    "a column that is not text": ("rows.csv", write("text,b\ngood film,2\nbad film,3\n"), ("--text", "b"), "b"),
    "one label": ("rows.csv", write("text\ngood film\n"), ("--labels", "positive"), "positive"),
    "truncated parquet": ("cut.parquet", make_truncated, (), "cut.parquet"),
    "two sheets": ("two.xlsx", make_sheets, (), "--sheet"),
    "a row with too many fields": ("ragged.csv", write("text,b\none,2\ntwo,3,4\n"), (), "row"),
    "broken json": ("rows.jsonl", write('{"text": "one"}\n{"text": \n'), (), "line 2"),
    "an unknown format": ("rows.doc", write("text"), (), "csv"),
    "a file that is not there": ("gone.csv", lambda path: None, (), "gone.csv"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, make, options, said = CASES[name]
    data = tmp_path / "data" / file
    data.parent.mkdir()
    make(data)
    status = main(["run", SENTENCE, "--data", str(data), "--hub", "starter", "--sandbox", "process", *options])
    error = capsys.readouterr().err
    assert status == 2, error
    assert said in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_labels_that_cannot_be_told_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "rows.txt"
    data.write_text("a good film\na bad film\n", encoding="utf-8")
    status = main(["run", "Sort these", "--data", str(data), "--out", str(tmp_path / "run"), "--sandbox", "process"])
    assert status == 2
    assert "--labels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_output_folder_in_use_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.txt", tmp_path / "run"
    data.write_text("a good film\n", encoding="utf-8")
    out.mkdir()
    (out / "precious").write_text("kept")
    assert main(["run", SENTENCE, "--data", str(data), "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "rows.txt"
    data.write_text("a good film\n", encoding="utf-8")
    assert main(["run", SENTENCE, "--data", str(data), "--out", "/proc/run"]) == 2
    assert "/proc/run" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--reviewer", "--engine"])
def test_what_is_not_built_yet_says_so(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "rows.txt"
    data.write_text("a good film\n", encoding="utf-8")
    out = tmp_path / "run"
    assert main(["run", SENTENCE, "--data", str(data), "--out", str(out), option, "0.1"]) == 2
    assert f"{option} does not work yet" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("command", ["export", "chat", "serve", "mcp"])
def test_commands_that_are_not_built_yet_say_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 2
    assert f"{command} does not work yet" in capsys.readouterr().err


def test_all_mistakes_in_the_settings_are_reported_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(
        ["run", SENTENCE, "--data", "rows.csv", "--models", "0", "--seed", "-1", "--out", str(tmp_path / "run")]
    )
    error = capsys.readouterr().err
    assert status == 2
    assert "--models 0" in error
    assert "--seed -1" in error


def test_json_errors_are_one_object_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", SENTENCE, "--data", str(tmp_path / "gone.csv"), "--out", str(tmp_path / "run"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["exit_status"] == 2
    assert "gone.csv" in told["error"]


def test_a_hub_that_does_not_answer_is_named_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.txt", tmp_path / "run"
    data.write_text("a good film\na bad film\n", encoding="utf-8")
    arguments = ["run", SENTENCE, "--data", str(data), "--out", str(out), "--sandbox", "process"]
    assert main([*arguments, "--hub", "http://127.0.0.1:9"]) == 5
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9" in error
    assert "--hub starter" in error
    assert (out / "task.yaml").exists(), "the run can be resumed when the Hub answers again"


def test_control_characters_of_a_file_never_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("\x1b[2Jtext,b\ngood film,1\n", encoding="utf-8")
    assert main(["run", SENTENCE, "--data", str(data), "--text", "\x1b[2Jtxt", "--out", str(tmp_path / "run")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_password_in_the_address_of_the_hub_is_refused_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = "http://user:s3cret@127.0.0.1:9"
    assert main(["run", SENTENCE, "--data", "rows.csv", "--hub", hub, "--out", str(tmp_path / "run")]) == 2
    assert "s3cret" not in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_usage_errors_are_errors_like_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "run"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_status"] == 2


def test_debug_shows_the_traceback_and_keeps_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "no-such-run", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
