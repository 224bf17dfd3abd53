"""One whole run with a scripted language model on tiny models: what it leaves behind, and what it asked for."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from records.events import NodeStarted, Noticed, ProbeLabelled, RowsReviewed, StageFinished
from records.folder import RunFolder, file_sha256
from tests.conftest import ROOT, SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, read_role, read_rows, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 160
EMPTY = 17
"""The number of a row without a text."""
TWICE = (3, 150)
"""Two rows with the same text but for white space and case, in different stages."""


def judge(text: str) -> str:
    """Return the reviewer's answer: it cannot tell of one text in four, by its last character but one."""
    return "cannot tell" if text.rstrip()[-2] in "37" else label_of(text)


pytestmark = pytest.mark.xdist_group("run")  # one worker, one run


@dataclass(frozen=True)
class FinishedRun:
    folder: RunFolder
    status: int
    output: str
    server: LLMServer
    data: pd.DataFrame


@pytest.fixture(scope="module")
def finished(cli: Cli, tiny_hub: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    folder = tmp_path_factory.mktemp("run")
    texts = [text for text, _ in make_sentences(ROWS, seed=5)]
    texts[EMPTY] = "   "
    texts[TWICE[1]] = f"  {texts[TWICE[0]].upper()} "
    data = pd.DataFrame({"id": [f"r{n // 2}" for n in range(ROWS)], "text": texts, "label": ["mine"] * ROWS})
    data.to_csv(folder / "rows.csv", index=False)
    with serving(play_team(LABELS, judge, class_of)) as server:
        done = cli(
            "run", SENTENCE, "--data", folder / "rows.csv", "--hub", tiny_hub, "--out", folder / "out",
            "--llm", "openai:scripted", "--sandbox", "process", "--stage-size", "40", "--pool-size", "16",
            "--vote", "soft", "--worth", "0", "--review-share", "0.2",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
        yield FinishedRun(RunFolder(folder / "out"), done.returncode, done.stdout + done.stderr, server, data)


@pytest.fixture(scope="module")
def labels(finished: FinishedRun) -> pd.DataFrame:
    assert finished.folder.labels.exists(), finished.output
    return pd.read_parquet(finished.folder.labels)


@pytest.fixture(scope="module")
def staged(finished: FinishedRun, labels: pd.DataFrame) -> pd.DataFrame:
    """The labels as the stages left them, before the audit."""
    tables = [pd.read_parquet(finished.folder.stage_labels(stage)) for stage in range(4)]
    return pd.concat(tables, ignore_index=True).assign(text=labels["text"])


def test_the_exit_status_says_that_a_row_has_no_label(finished: FinishedRun) -> None:
    assert finished.status == 3, finished.output
    assert "1 without a label" in finished.output


def test_rows_keep_their_order_number_and_columns(finished: FinishedRun, labels: pd.DataFrame) -> None:
    assert labels["text"].tolist() == finished.data["text"].tolist()
    assert labels["id"].tolist() == finished.data["id"].tolist()
    assert labels["input_label"].tolist() == ["mine"] * ROWS
    assert [name for name in labels.columns if name.startswith("__")] == []


def test_a_row_without_a_text_says_why_it_has_no_label(labels: pd.DataFrame) -> None:
    row = labels.iloc[EMPTY]
    assert pd.isna(row["label"])
    assert row["reason"] == "the row has no text"
    assert labels["label"].isna().sum() == 1


def test_reviews_win_and_say_what_they_changed(labels: pd.DataFrame) -> None:
    decided = labels["review_label"].isin(LABELS)
    assert (labels[decided]["source"] == "llm").all()
    assert (labels[decided]["label"] == labels[decided]["text"].map(label_of)).all()
    assert labels[decided]["confidence"].isna().all(), "how sure a language model says it is has not been calibrated"
    assert (labels[~decided & labels["label"].notna()]["source"] == "vote").all()


def test_a_row_of_which_the_reviewer_cannot_tell_keeps_its_vote(finished: FinishedRun, staged: pd.DataFrame) -> None:
    unclear = staged[staged["review_label"] == "cannot tell"]
    assert len(unclear) >= 2
    assert (unclear["text"].map(judge) == "cannot tell").all()
    assert not unclear["review_failed"].any()
    events = list(finished.folder.read_events())
    told = [event.undecided for event in events if isinstance(event, RowsReviewed)]
    told += [event.unlabelled for event in events if isinstance(event, ProbeLabelled)]
    assert sum(told) == unclear["copied_from"].isna().sum()


def test_only_labels_teach(finished: FinishedRun, staged: pd.DataFrame) -> None:
    """The specialists learn from rows with a reviewer's label, and say how many these were."""
    taught = [event.reviewed for event in finished.folder.read_events() if isinstance(event, StageFinished)]
    decided = staged[staged["review_label"].isin(LABELS) & staged["copied_from"].isna()]
    assert taught == decided.groupby("stage").size().reindex(range(4), fill_value=0).tolist()


def test_what_the_reviewer_sees_holds_no_vote_by_default(finished: FinishedRun, labels: pd.DataFrame) -> None:
    asked = [json.dumps(request) for request in finished.server.requests() if read_role(request) == "reviewer"]
    models = {model for votes in labels["votes"].dropna() for model, _ in votes}
    assert len(models) == 3
    assert asked
    assert not [request for request in asked if "vote" in request or any(model in request for model in models)]


def test_the_probe_is_a_fifth_of_the_rows_and_its_reviews_are_kept(finished: FinishedRun, labels: pd.DataFrame) -> None:
    probe = pd.read_parquet(finished.folder.audition / "probe.parquet")
    assert len(probe) == 32
    given = labels.loc[probe["row"], "review_label"].where(lambda label: label.isin(LABELS), None)
    assert given.tolist() == probe["label"].tolist()


def test_a_stage_reviews_its_most_disputed_rows_first(finished: FinishedRun, staged: pd.DataFrame) -> None:
    probe = pd.read_parquet(finished.folder.audition / "probe.parquet")["row"]
    stage = staged.drop(index=probe)[lambda rows: (rows["stage"] == 1) & rows["label"].notna()]
    disputed, agreed = stage[stage["agreement"] < 1], stage[stage["agreement"] == 1]
    reviewed = stage["review_label"].notna()
    assert 8 <= reviewed.sum() <= 9, "20 % of 40 rows, and a spot check of one"
    if len(disputed) >= 8:
        assert agreed["review_label"].notna().sum() <= 1, "only the spot check may see a row that all agree on"


def test_the_spot_check_is_drawn_in_every_stage(finished: FinishedRun) -> None:
    checks = [
        event
        for event in finished.folder.read_events()
        if isinstance(event, RowsReviewed) and event.kind == "spot_check"
    ]
    assert [event.rows for event in checks] == [1, 1, 1, 1]


def test_texts_that_are_the_same_are_reviewed_once(finished: FinishedRun, labels: pd.DataFrame) -> None:
    asked = Counter(
        " ".join(text.casefold().split())
        for request in finished.server.requests()
        if read_role(request) == "reviewer"
        for text in read_rows(request).values()
    )
    assert max(asked.values()) == 1
    first, second = (labels.iloc[number] for number in TWICE)
    if pd.notna(first["review_label"]):
        assert second["copied_from"] == first["id"]
        assert second["label"] == first["label"]


def test_all_that_was_asked_is_in_the_ledger_and_the_cost(finished: FinishedRun) -> None:
    cost = json.loads(finished.folder.cost.read_text())
    roles = Counter(read_role(request) for request in finished.server.requests())
    told: Counter[str] = Counter()
    for role in cost["roles"]:
        told[role["role"]] += role["requests"]
    assert told == roles
    assert {role["stage"] for role in cost["roles"] if role["role"] == "reviewer"} == {None, 0, 1, 2, 3, 4}, (
        "the probe's, the stages', and the audit's"
    )
    assert all(role["usd"] is None and "no price" in role["reason"] for role in cost["roles"])
    assert all(one["tokens"] > 0 for one in cost["specialists"])


def test_the_host_and_the_rows_it_may_see_are_told_first(finished: FinishedRun) -> None:
    host = finished.server.base_url.split("/")[2]
    events = list(finished.folder.read_events())
    told = [place for place, event in enumerate(events) if isinstance(event, Noticed) and host in event.message]
    # The analyst's 20, 8 for the scripts' tests, a probe of 32, half of the rows for their risk, 2 % to spot-check,
    # 10 % of a confused pair, and one a stage: more than there are.
    assert f"scripted at {host} may see up to 160 of the 160 rows." in events[told[0]].message
    assert told[0] < next(place for place, event in enumerate(events) if isinstance(event, NodeStarted))


def test_the_specialists_learn_behind_a_gate(finished: FinishedRun) -> None:
    verdicts = [json.loads(path.read_text()) for path in finished.folder.path.glob("models/*/v*/gate.json")]
    assert len(verdicts) >= 3, finished.output
    for verdict in verdicts:
        assert (
            verdict["promoted"] == (verdict["accuracy_after"] > verdict["accuracy_before"])
            or "forgotten" in verdict["reason"]
        )


def read_schema(path: Path) -> Validator:
    """Return what validates by the schema of this file, which is itself checked once."""
    schema = json.loads(path.read_text())
    validator = validator_for(schema)
    validator.check_schema(schema)
    return validator(schema)


def test_every_wire_file_keeps_to_its_schema(finished: FinishedRun) -> None:
    schemas = {path.name.split(".")[0]: read_schema(path) for path in (ROOT / "docs/schemas").glob("*.json")}
    folder = finished.folder
    for path, schema in [
        (folder.cost, "cost"), (folder.certificate, "certificate"), (folder.manifest, "manifest"),
        (folder.lock, "models-lock"), (folder.path / "labels.json", "labels"),
    ]:  # fmt: skip
        schemas[schema].validate(json.loads(path.read_text()))
    for line in folder.events.read_text().splitlines():
        schemas["event"].validate(json.loads(line))
    for path in folder.path.glob("models/*/v*/metrics.json"):
        schemas["training-metrics"].validate(json.loads(path.read_text()))


def test_the_manifest_names_every_file_with_its_hash(finished: FinishedRun) -> None:
    files = json.loads(finished.folder.manifest.read_text())["files"]
    assert {"labels.parquet", "report.html", "task.yaml", "settings.yaml", "models.lock.json"} <= set(files)
    for name, facts in files.items():
        assert file_sha256(finished.folder.path / name) == facts["sha256"]
    assert not finished.folder.scratch.exists()


def test_the_audit_draws_rows_that_no_stage_reviewed_and_is_in_the_labels(
    finished: FinishedRun, staged: pd.DataFrame, labels: pd.DataFrame
) -> None:
    told = json.loads(finished.folder.certificate.read_text())
    assert (told["status"], told["expert"], told["rows"], told["audited"]) == ("bound", "llm", ROWS - 1, 8)
    since = labels["review_label"].notna() & staged["review_label"].isna()
    assert 8 <= since.sum() <= 9, "and a copy"
    assert told["statement"] in finished.folder.report.read_text()
    labelled = labels[labels["label"].notna()]
    assert (labelled["label"] != labelled["text"].map(judge)).mean() <= told["bound"]


def test_every_attempt_keeps_its_history(finished: FinishedRun) -> None:
    attempts = sorted(finished.folder.path.glob("scripts/*/attempt-01"))
    assert len(attempts) == 3
    kept = {"annotate.py", "finetune.py", "test_annotate.py", "attempt.json", "test_result.json", "verdict.json"}
    said = {"prompt.md", "reply.md", "cases_prompt.md", "cases_reply.md"}
    for attempt in attempts:
        assert kept | said == {path.name for path in attempt.iterdir()}


def test_votes_are_kept_without_the_hidden_states(finished: FinishedRun) -> None:
    votes = sorted(finished.folder.path.glob("votes/stage-0000/*.parquet"))
    assert len(votes) == 3
    assert pq.read_schema(votes[0]).names == ["id", "label", "score", "probs"]


def test_a_finished_run_is_shown_again_and_asks_nothing(finished: FinishedRun, cli: Cli) -> None:
    before = len(finished.server.requests())
    for command in ("resume", "status", "report"):
        done = cli(command, finished.folder.path, "--json", OPENAI_BASE_URL=finished.server.base_url)
        assert done.returncode in (0, 3), done.stderr
        assert json.loads(done.stdout.splitlines()[-1])
    assert len(finished.server.requests()) == before
    assert finished.folder.manifest.exists()


def test_the_report_loads_nothing_and_names_the_task(finished: FinishedRun) -> None:
    page = finished.folder.report.read_text()
    assert SENTENCE in page
    assert "src=" not in page
    assert "<link" not in page
    assert Path(finished.folder.report).stat().st_size < 500_000
