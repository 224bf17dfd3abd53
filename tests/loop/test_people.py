"""People audit a finished run: rows are drawn for them, and their answers give the certificate its second line."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest

from autoannotator import open_run
from autoannotator.command_line import main
from records.errors import RunFolderError, SettingsError
from records.events import Certified, Event, NodeStarted, RunFinished
from records.folder import RunFolder, read_record
from records.outcome import Certificate, PeopleAudit
from specialists.bounds import bound_total
from specialists.certificate import share_error
from tests.audited_run import StoppedError, hash_share
from tests.conftest import SENTENCE, Cli
from tests.llm_server import play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 240
DRAWN = 12
"""5 % of the rows."""

pytestmark = pytest.mark.xdist_group("people")


def say(text: str) -> str:
    """Return what the language model says: it is wrong about a fifth of the texts."""
    right = label_of(text)
    return right if hash_share(text) > 0.2 else LABELS[1 - LABELS.index(right)]


@pytest.fixture(scope="module")
def finished(cli: Cli, one_model_hub: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that a language model reviewed and audited; it answers nobody any more."""
    path = tmp_path_factory.mktemp("people")
    rows = [{"id": f"r{n:03d}", "text": text} for n, (text, _) in enumerate(make_sentences(ROWS, seed=5))]
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving(play_team(LABELS, say, class_of)) as server:
        done = cli(
            "run", SENTENCE, "--data", path / "rows.jsonl", "--hub", one_model_hub, "--llm", "openai:scripted",
            "--sandbox", "process", "--models", "1", "--no-learning", "--stage-size", "120", "--out", path / "out",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path / "out"


@pytest.fixture
def folder(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> RunFolder:
    """A copy of the run for one test."""
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    return RunFolder(Path(shutil.copytree(finished, tmp_path / "out")))


def review(folder: RunFolder, *arguments: str | Path) -> int:
    return main(["review", str(folder.path), *map(str, arguments)])


def read_form(folder: RunFolder) -> list[dict[str, str]]:
    with folder.review_form.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def write_answers(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def fill(folder: RunFolder) -> list[dict[str, str]]:
    """Return the form as a person fills it in who is always right, and leaves the last row."""
    rows = [{**row, "label": label_of(row["text"])} for row in read_form(folder)]
    return [*rows[:-1], {**rows[-1], "label": ""}]


def read_labels(folder: RunFolder) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pq.read_table(folder.labels).to_pylist()}


def read_certificate(folder: RunFolder) -> Certificate:
    return read_record(folder.certificate, Certificate)


def read_people(folder: RunFolder) -> PeopleAudit:
    told = read_certificate(folder).people
    assert told is not None
    return told


def test_rows_are_drawn_for_people_without_anything_that_leads_them(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = folder.labels.read_bytes(), folder.certificate.read_bytes()
    assert review(folder) == 6
    told = capsys.readouterr().out
    assert f"12 rows, drawn at random, wait for a person in {folder.review_form}" in told
    assert f"autoannotator review {folder.path} --answers" in told
    form, labels = read_form(folder), read_labels(folder)
    assert [list(row) for row in form] == [["id", "text", "label"]] * DRAWN
    assert all(row["label"] == "" and labels[row["id"]]["text"] == row["text"] for row in form)
    first = folder.review_form.read_bytes(), folder.manifest.read_bytes()
    assert review(folder, "--rows", DRAWN) == 6
    assert (folder.review_form.read_bytes(), folder.manifest.read_bytes()) == first
    assert (folder.labels.read_bytes(), folder.certificate.read_bytes()) == before
    assert review(folder, "--rows", 20) == 2
    assert "a sample of 12 rows is drawn, and stays" in capsys.readouterr().err
    write_answers(folder.review_form, fill(folder))
    assert review(folder) == 6
    assert read_form(folder)[0]["label"], "what a person has filled in is not lost"
    assert folder.find_missing() == []


def test_their_answers_are_a_second_line_and_the_labels_of_their_rows(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, before = read_certificate(folder), read_labels(folder)
    review(folder, "--rows", 40)
    rows = fill(folder)
    capsys.readouterr()
    assert review(folder, "--answers", write_answers(tmp_path / "answers.csv", rows)) == 0
    printed = capsys.readouterr().out.replace("\n             ", " ")
    told, people = read_certificate(folder), read_people(folder)
    assert told.model_copy(update={"people": None, "statement": first.statement}) == first
    assert told.statement.startswith(first.statement)
    assert "of the labels as they were before people gave" in told.statement
    assert first.expert == "llm"

    differing = sum(row["label"] not in ("", before[row["id"]]["label"]) for row in rows)
    assert (people.audited, people.differing, people.unanswered, people.rows) == (40, differing, 1, ROWS)
    assert differing > 0
    assert people.error == share_error(0.95, 1), "the second claim of the run"
    upper = int(bound_total(np.array(differing + 1), np.array(40), np.array(ROWS), people.error))
    assert people.bound == (upper - differing) / ROWS
    assert people.clopper_pearson >= people.bound
    after = read_labels(folder)
    assert sum(row["label"] != label_of(row["text"]) for row in after.values()) <= upper - differing
    assert people.statement.startswith("With confidence 0.95 at most ")
    assert people.statement.endswith("differ from what people would have given.")

    answered = {row["id"]: row["label"] for row in rows if row["label"]}
    for name, row in after.items():
        if name in answered:
            shown = {key: row[key] for key in ("label", "review_label", "source", "confidence", "copied_from")}
            label = answered[name]
            assert shown == {
                "label": label, "review_label": label, "source": "human", "confidence": 1.0, "copied_from": None
            }  # fmt: skip
        else:
            assert row == before[name]
    report = folder.report.read_text()
    assert first.statement in printed
    assert people.statement in printed
    assert first.statement in report
    assert people.statement in report
    assert f"40: {differing} differed, 1 got no answer" in report
    assert folder.find_missing() == []
    assert open_run(folder.path).certificate["people"]["audited"] == 40


def test_answers_come_in_any_format_in_any_order_and_only_once(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(folder.path).review(rows=20)
    rows = fill(folder)[::-1]
    book = openpyxl.Workbook()
    for cells in [("ID", "Label"), *((row["id"], row["label"].upper() or None) for row in rows)]:
        book.active.append(cells)  # pyright: ignore[reportOptionalMemberAccess]
    book.save(tmp_path / "answers.xlsx")
    assert run.review(tmp_path / "answers.xlsx").certificate["people"]["unanswered"] == 1
    labels = read_labels(folder)
    assert all(labels[row["id"]]["label"] == row["label"] for row in rows if row["label"])
    before = folder.manifest.stat().st_mtime_ns
    assert review(folder, "--answers", write_answers(tmp_path / "again.csv", rows)) == 0
    assert folder.manifest.stat().st_mtime_ns == before, "the same answers change nothing"
    rows[0]["label"] = rows[1]["label"]
    assert review(folder, "--answers", write_answers(tmp_path / "other.csv", rows)) == 2
    assert "other answers were given" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="people have audited the labels"):
        run.review()
    assert folder.manifest.stat().st_mtime_ns == before


def change(rows: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    match name:
        case "a row is missing":
            return rows[1:]
        case "a row of its own":
            return [*rows, {**rows[0], "id": "r999"}]
        case "a row twice":
            return [*rows, rows[0]]
        case "an unknown label":
            return [{**rows[0], "label": "so-so"}, *rows[1:]]
        case "no label":
            return [{**row, "label": ""} for row in rows]
        case _:
            return [{"name": row["id"], "label": row["label"]} for row in rows]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a row is missing", "1 of the 12 rows of the sample are missing, the first with the id 'r"),
        ("a row of its own", "row 12: the id 'r999' is none of the sample's"),
        ("a row twice", "or it stands there twice"),
        ("an unknown label", "row 0: the label 'so-so' is none of the task's"),
        ("no label", "its column 'label' has no label in any of its 12 rows"),
        ("no ids", "it has no column 'id': its columns are name, label"),
    ],
)
def test_answers_that_do_not_fit_the_sample_are_refused_and_change_nothing(
    name: str, said: str, folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    review(folder)
    before = folder.manifest.read_bytes(), folder.certificate.read_bytes()
    answers = write_answers(tmp_path / "answers.csv", change(fill(folder), name))
    assert review(folder, "--answers", answers) == 2
    assert said in capsys.readouterr().err
    assert (folder.manifest.read_bytes(), folder.certificate.read_bytes()) == before
    assert review(folder) == 6, "the sample still waits"


def test_answers_without_a_sample_and_a_sample_that_cannot_be_drawn_are_refused(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = write_answers(tmp_path / "answers.csv", [{"id": "r001", "label": LABELS[0]}])
    assert review(folder, "--answers", answers) == 2
    assert "no sample of the labels of the run out is drawn" in capsys.readouterr().err
    assert review(folder, "--rows", 241) == 2
    assert "Say --rows with a number from 1 to 240" in capsys.readouterr().err
    assert not folder.review_form.exists()
    folder.manifest.unlink()
    assert review(folder) == 2
    assert "has not finished" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["certify", "certified", "report", "finished"])
def test_it_goes_on_where_it_was_stopped(kind: str, folder: RunFolder, tmp_path: Path) -> None:
    run = open_run(folder.path).review()
    answers = write_answers(tmp_path / "answers.csv", fill(folder))

    def stop(event: Event) -> None:
        match event:
            case NodeStarted() if event.node == kind:
                raise StoppedError
            case Certified() if kind == "certified":
                raise StoppedError
            case RunFinished() if kind == "finished":
                raise StoppedError
            case _:
                pass

    with pytest.raises(StoppedError):
        run.review(answers, on_event=stop)
    again = run.review(answers) if kind in ("certify", "report") else run.resume()
    assert again.certificate["people"]["audited"] == DRAWN
    assert (again.labels["source"] == "human").sum() == DRAWN - 1
    assert read_people(folder).statement in folder.report.read_text()
    assert folder.find_missing() == []
    assert read_people(folder).error == share_error(0.95, 1)


def test_the_labels_that_people_have_audited_change_no_more(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    review(folder)
    review(folder, "--answers", write_answers(tmp_path / "answers.csv", fill(folder)))
    before = folder.manifest.read_bytes(), folder.settings.read_bytes()
    capsys.readouterr()
    for change in (("--target-error", "0.05"), ("--budget", "5")):
        assert main(["resume", str(folder.path), *change]) == 2
        assert f"{change[0]} {change[1]}: people have audited the labels" in capsys.readouterr().err
    assert main(["resume", str(folder.path)]) == 0
    assert (folder.manifest.read_bytes(), folder.settings.read_bytes()) == before


def test_a_sample_is_void_where_the_labels_change_before_its_answers(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(folder.path).review()
    answers = write_answers(tmp_path / "answers.csv", fill(folder))
    with serving(play_team(LABELS, say, class_of)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        run.resume(target_error=0.05, yes=True)
    assert review(folder, "--answers", answers) == 2
    with pytest.raises(RunFolderError, match="is of a sample whose labels have changed since"):
        run.review()
    folder.review_form.rename(tmp_path / "old.csv")
    run.review()
    told = run.review(write_answers(tmp_path / "new.csv", fill(folder))).certificate
    assert (told["target"], told["people"]["audited"]) == (0.05, DRAWN)
