"""The certificate of a whole run, as a person asks for it: with a target and without, and with another one later."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from autoannotator import open_run
from autoannotator.command_line import main
from records.folder import RunFolder, read_record
from records.outcome import Certificate
from records.settings import Settings
from records.task import CANNOT_TELL
from tests.audited_run import hash_share
from tests.conftest import SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, read_role, read_rows, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 240
QUICK = ("--sandbox", "process", "--models", "1", "--no-learning", "--stage-size", "120")

pytestmark = pytest.mark.xdist_group("certifying")


def say(text: str) -> str:
    """Return what the reviewer says: it is wrong about a tenth of the texts."""
    right = label_of(text)
    return right if hash_share(text) > 0.1 else LABELS[1 - LABELS.index(right)]


def say_little(text: str) -> str:
    return CANNOT_TELL if hash_share(text, "silent") < 0.4 else say(text)


def write_data(path: Path) -> Path:
    rows = [{"id": f"r{n}", "text": text} for n, (text, _) in enumerate(make_sentences(ROWS, seed=5))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_labels(folder: RunFolder) -> list[dict[str, Any]]:
    return pq.read_table(folder.labels).to_pylist()


@dataclass(frozen=True)
class Certified:
    """What a run without a target left, and what a resume with one made of it."""

    folder: RunFolder
    server: LLMServer
    bound: Certificate
    printed: str
    before: list[dict[str, Any]]
    status: int
    later: dict[str, Any]
    asked: int


@pytest.fixture(scope="module")
def certified(cli: Cli, one_model_hub: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    path = tmp_path_factory.mktemp("certified")
    folder, data = RunFolder(path / "out"), write_data(path / "rows.jsonl")
    with serving(play_team(LABELS, say, class_of)) as server:
        url = server.base_url
        done = cli(
            "run", SENTENCE, "--data", data, "--hub", one_model_hub, "--llm", "openai:scripted", *QUICK,
            "--out", folder.path, OPENAI_BASE_URL=url,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        bound, before, asked = read_record(folder.certificate, Certificate), read_labels(folder), len(server.requests())
        later = cli("resume", folder.path, "--target-error", "0.08", "--json", OPENAI_BASE_URL=url)
        assert later.stdout, later.stderr
        told = json.loads(later.stdout.splitlines()[-1])
        yield Certified(folder, server, bound, done.stdout, before, later.returncode, told, asked)


def count_reviewed(labels: list[dict[str, Any]]) -> int:
    """Return how many rows were put to the language model, those that the vote then overruled too."""
    return sum(row["review_label"] is not None or row["review_failed"] for row in labels)


def test_without_a_target_a_bound_is_stated_in_plain_words(certified: Certified) -> None:
    bound = certified.bound
    assert (bound.status, bound.expert, bound.audited, bound.target) == ("bound", "llm", 12, None)
    assert bound.bound is not None
    differing = sum(row["label"] != say(row["text"]) for row in certified.before)
    assert differing / ROWS <= bound.bound
    assert f"at most {bound.bound:.1%}"[:-3] in bound.statement
    assert bound.statement in certified.printed.replace("\n             ", " ")
    assert "12 more drawn at random for the audit" in certified.printed
    assert count_reviewed(certified.before) == bound.reviewed


def test_a_finished_run_meets_a_target_on_resume(certified: Certified) -> None:
    assert certified.status == 0
    assert (certified.later["certificate_status"], certified.later["target_error"]) == ("certified", 0.08)
    told, labels = read_record(certified.folder.certificate, Certificate), read_labels(certified.folder)
    assert (told.status, told.bound) == ("certified", round(0.08 * ROWS - 0.5) / ROWS)
    assert sum(row["label"] != say(row["text"]) for row in labels) <= 0.08 * ROWS
    assert count_reviewed(labels) == told.reviewed > certified.bound.reviewed
    assert read_record(certified.folder.settings, Settings).target_error == 0.08
    assert certified.folder.find_missing() == []
    report = certified.folder.report.read_text()
    assert told.statement in report
    assert "drawn at random for the audit" in report
    assert all(read_role(one) == "reviewer" for one in certified.server.requests()[certified.asked :])


def test_the_same_target_again_leaves_a_finished_run_as_it_is(certified: Certified) -> None:
    before = certified.folder.manifest.stat().st_mtime_ns
    assert main(["resume", str(certified.folder.path), "--target-error", "0.08"]) == 0
    assert open_run(certified.folder.path).resume(target_error=0.08).certificate["status"] == "certified"
    assert certified.folder.manifest.stat().st_mtime_ns == before


@pytest.mark.parametrize("target", ["0", "1", "-0.1", "nan"])
def test_a_target_that_is_none_is_refused(
    target: str, certified: Certified, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", str(certified.folder.path), f"--target-error={target}"]) == 2
    assert "--target-error" in capsys.readouterr().err
    assert certified.folder.manifest.exists()


def test_a_target_that_cannot_be_certified_ends_with_status_3(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    team = play_team(LABELS, say, class_of)

    def play(request: dict[str, Any]) -> Any:
        if read_role(request) != "reviewer":
            return team(request)
        said = [{"id": key, "label": say_little(text), "sure": 0.9} for key, text in read_rows(request).items()]
        return json.dumps({"answers": said})

    with serving(play) as server:
        done = cli(
            "run", SENTENCE, "--data", write_data(tmp_path / "rows.jsonl"), "--hub", one_model_hub,
            "--llm", "openai:scripted", *QUICK, "--out", tmp_path / "out", "--target-error", "0.05",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "The target of 5 % cannot be certified against the language model openai:scripted." in done.stdout
    told = read_record(tmp_path / "out" / "certificate.json", Certificate)
    assert (told.status, told.bound, told.target) == ("not certifiable", None, 0.05)


def test_gold_rows_that_are_a_random_sample_certify_without_a_language_model(
    cli: Cli, one_model_hub: str, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "rows.jsonl")
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    gold = [{"id": row["id"], "label": label_of(row["text"])} for row in rows[::3]]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gold))
    labels = [{"name": name} for name in LABELS]
    task = {"sentence": SENTENCE, "labels": labels, "text_columns": ["text"], "gold_sample": "random"}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    done = cli(
        "run", "--task", tmp_path / "task.yaml", "--data", data, "--gold", tmp_path / "gold.jsonl", "--target-error",
        "0.9", "--hub", one_model_hub, *QUICK, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 gold rows are set aside to certify" in done.stderr
    told = read_record(tmp_path / "out" / "certificate.json", Certificate)
    assert (told.status, told.expert, told.audited) == ("certified", "gold", 40)
    assert told.bound is not None
    assert (
        sum(row["label"] != label_of(row["text"]) for row in read_labels(RunFolder(tmp_path / "out")))
        <= told.bound * ROWS
    )
    probe = json.loads((tmp_path / "out" / "models.lock.json").read_text())["specialists"][0]["audition"]
    assert (probe["truth"], probe["rows"]) == ("gold", 40), "the others are the probe"
