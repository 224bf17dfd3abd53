"""What the result critic decides in whole runs on tiny models, within which bounds, and where the run waits for it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator import annotate
from graphs.probing import count_paid_rows
from hub.server import HubServer
from records.events import Event, Noticed, RowsReviewed, SpecialistDropped, StageCriticised
from records.folder import RunFolder
from records.settings import Settings
from specialists.probe import draw_pool
from tests.conftest import ROOT, SENTENCE, Cli
from tests.llm_server import LLMServer, Script, play_team, read_role, serving
from tests.tiny_hub import LABELS, build_tiny_hub, class_of, label_of, make_sentences

FILM, REVIEW = "tiny--film-sentiment", "tiny--review-sentiment"
STAGES, STAGE_SIZE = 6, 20

pytestmark = pytest.mark.xdist_group("verdicts")  # one worker, a few runs


def decide(action: str, evidence: str = "stage.unanimous", **parts: object) -> dict[str, object]:
    return {"action": action, "evidence": [evidence], "reason": f"Figures ask for {action}.", **parts}


GO_ON = decide("go_on")


def play(decisions: dict[int, list[object]]) -> Script:
    """Return a team that plays well, and whose result critic replies as written: stages left → its replies in turn."""
    team = play_team(LABELS, label_of, class_of)

    def answer(request: dict[str, Any]) -> Any:
        if read_role(request) != "result_critic":
            return team(request)
        [left] = [line for line in request["messages"][1]["content"].splitlines() if line.startswith('"stages_left": ')]
        replies = decisions.get(int(left.split()[1]), [GO_ON])
        reply = replies[min(len(request["messages"]) // 2 - 1, len(replies) - 1)]
        return reply if isinstance(reply, str) else json.dumps(reply)

    return answer


@pytest.fixture(scope="module")
def small_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    names = ("film-sentiment", "review-sentiment")
    with HubServer(build_tiny_hub(tmp_path_factory.mktemp("hub"), names)) as server:
        yield server.url


@dataclass(frozen=True)
class Verdicts:
    """A finished run, and its events."""

    folder: RunFolder
    output: str
    events: tuple[Event, ...]

    def criticised(self, stage: int) -> StageCriticised:
        [event] = [one for one in self.events if isinstance(one, StageCriticised) and one.stage == stage]
        return event

    def reviewed(self, stage: int, kind: str) -> RowsReviewed | None:
        found = [one for one in self.events if isinstance(one, RowsReviewed) and (one.stage, one.kind) == (stage, kind)]
        return found[-1] if found else None


@pytest.fixture(scope="module")
def verdicts(cli: Cli, small_hub: str, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """A run of six stages, each of which ends with another decision."""
    decisions: dict[int, list[object]] = {
        5: [decide("raise_review_share", "stage.unreviewed", review_share=0.4)],
        4: [decide("raise_review_share", review_share=0.9)],
        3: [
            decide("relabel_pair", "stage.made_up", labels=list(LABELS)),
            decide("relabel_pair", "stage.vote.labels.positive", labels=list(LABELS)),
        ],
        2: [decide("drop_specialist", f"stage.specialists.{FILM}.agreement", specialist=FILM)],
        1: [decide("drop_specialist", specialist=REVIEW)],
        0: ["I have seen enough."],
    }
    folder = tmp_path_factory.mktemp("verdicts")
    data = folder / "rows.txt"
    data.write_text("\n".join(text for text, _ in make_sentences(STAGES * STAGE_SIZE, seed=8)), encoding="utf-8")
    with serving(play(decisions)) as server:
        done = cli(
            "run", SENTENCE, "--data", data, "--hub", small_hub, "--llm", "openai:scripted", "--sandbox", "process",
            "--models", "2", "--no-learning", "--stage-size", str(STAGE_SIZE), "--out", folder / "out",
            "--vote", "soft", "--worth", "0", "--review-share", "0.2",
            OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = RunFolder(folder / "out")
    return Verdicts(run, done.stdout + done.stderr, tuple(run.read_events()))


def test_a_raised_share_holds_from_the_next_stage_on(verdicts: Verdicts) -> None:
    assert verdicts.criticised(0).applied
    assert verdicts.criticised(0).review_share == 0.4
    rows = [review.rows for stage in range(STAGES) if (review := verdicts.reviewed(stage, "risk"))]
    assert rows == [4, 8, 8, 8, 8, 8]


def test_no_share_is_raised_above_its_bound(verdicts: Verdicts) -> None:
    refused = verdicts.criticised(1)
    assert not refused.applied
    assert refused.note.replace("\N{NO-BREAK SPACE}", " ").endswith("above the present 40 % and at most 50 %")


def test_evidence_is_stored_with_its_values_and_must_exist(verdicts: Verdicts) -> None:
    relabelled = verdicts.criticised(2)
    assert set(relabelled.evidence) == {"stage.vote.labels.positive"}
    table = pd.read_parquet(verdicts.folder.stage_labels(2))
    assert relabelled.evidence["stage.vote.labels.positive"] == (table["__voted__"] == "positive").mean().round(4)


def test_rows_that_nobody_reviewed_are_counted(verdicts: Verdicts) -> None:
    table = pd.read_parquet(verdicts.folder.stage_labels(0))
    open_ = table["review_label"].isna() & ~table["review_failed"]
    assert verdicts.criticised(0).evidence == {"stage.unreviewed": open_.sum()}
    assert open_.any()


def test_a_relabel_reviews_a_tenth_of_its_stage_and_no_other(verdicts: Verdicts) -> None:
    relabels = {stage: verdicts.reviewed(stage, "relabel") for stage in range(STAGES)}
    assert [stage for stage, event in relabels.items() if event] == [2]
    relabel = relabels[2]
    assert relabel is not None
    assert relabel.rows == STAGE_SIZE // 10
    table = pd.read_parquet(verdicts.folder.stage_labels(2))  # as the stage left it: the audit comes later
    numbers = pd.read_parquet(verdicts.folder.audition / "probe.parquet")["row"]
    probed = (numbers // STAGE_SIZE == 2).sum()
    reviewed = table["review_label"].notna().sum()
    assert reviewed == 8 + 1 + 2 + probed, "risk, spot check, relabel, and the audition's probe"


def test_a_dropped_specialist_votes_no_more(verdicts: Verdicts) -> None:
    [dropped] = [event for event in verdicts.events if isinstance(event, SpecialistDropped)]
    assert (dropped.model, dropped.stage) == (FILM, 4)
    labels = pd.read_parquet(verdicts.folder.labels)
    voters = labels.groupby("stage")["votes"].agg(lambda votes: {frozenset(dict(one)) for one in votes})
    assert voters.tolist() == [{frozenset({FILM, REVIEW})}] * 4 + [{frozenset({REVIEW})}] * 2
    tokens = {one["name"]: one["tokens"] for one in json.loads(verdicts.folder.cost.read_text())["specialists"]}
    assert 0 < tokens[FILM] < tokens[REVIEW]


def test_the_last_specialist_stays(verdicts: Verdicts) -> None:
    refused = verdicts.criticised(4)
    assert (refused.applied, refused.note) == (False, "the last specialist stays")


def test_a_reply_of_no_use_ends_nothing(verdicts: Verdicts) -> None:
    assert [event.stage for event in verdicts.events if isinstance(event, StageCriticised)] == [0, 1, 2, 3, 4]
    noticed = [event.message for event in verdicts.events if isinstance(event, Noticed)]
    assert any("said of stage 6 cannot be used" in message for message in noticed)


def test_the_terminal_and_the_report_tell_every_decision(verdicts: Verdicts) -> None:
    page = " ".join(verdicts.folder.report.read_text().split()).replace("\N{NO-BREAK SPACE}", " ")
    said = " ".join(verdicts.output.split()).replace("\N{NO-BREAK SPACE}", " ")
    for words in (
        "review up to 40 % of a stage",
        "a share must be above the present 40 % and at most 50 %",
        "relabel rows between positive and negative",
        "drop tiny/film-sentiment",
        "the last specialist stays",
    ):
        assert words in page
        assert words in said
    assert "dropped from stage 4 on" in page
    assert "stage.vote.labels.positive" in page


class Stopped:
    """A run of three stages whose critic would stop it after the first two, and what is compared with it."""

    def __init__(self, cli: Cli, hub: str, folder: Path, server: LLMServer) -> None:
        self.cli = cli
        self.out = folder / "out"
        self.environment = {"OPENAI_BASE_URL": server.base_url}
        data = folder / "rows.txt"
        data.write_text("\n".join(text for text, _ in make_sentences(60, seed=9)), encoding="utf-8")
        self.command = (
            "run", SENTENCE, "--data", data, "--hub", hub, "--llm", "openai:scripted", "--sandbox", "process",
            "--models", "1", "--no-learning", "--stage-size", "20", "--out", self.out,
        )  # fmt: skip

    def call(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return self.cli(*command, **self.environment)


STOPS: dict[int, list[object]] = {2: [decide("stop_run")], 1: [decide("stop_run")]}


def test_a_stopped_run_waits_for_leave_and_ends_as_if_it_had_not_been(
    cli: Cli, one_model_hub: str, tmp_path: Path
) -> None:
    for name in ("stopped", "whole"):
        (tmp_path / name).mkdir()
    with serving(play(STOPS)) as server:
        run = Stopped(cli, one_model_hub, tmp_path / "stopped", server)
        waiting = run.call(*run.command, "--yes")
        assert waiting.returncode == 6, "--yes gives leave for no stop that is yet to come"
        assert "would stop the run after stage 1 of 3: Figures ask for stop_run." in waiting.stderr
        assert f"autoannotator resume {run.out} --yes" in waiting.stderr
        again = run.call("resume", run.out)
        assert again.returncode == 6
        assert again.stderr.splitlines()[-2:] == waiting.stderr.splitlines()[-2:], "the same words"
        second = run.call("resume", run.out, "--yes")
        assert second.returncode == 6
        assert "after stage 2 of 3" in second.stderr
        finished = run.call("resume", run.out, "--yes")
        assert finished.returncode == 0, finished.stderr
        assert len([one for one in server.requests() if read_role(one) == "result_critic"]) == 3, "none asked twice"
    with serving(play({})) as server:
        whole = Stopped(cli, one_model_hub, tmp_path / "whole", server)
        assert whole.call(*whole.command).returncode == 0
    assert pd.read_parquet(run.out / "labels.parquet").equals(pd.read_parquet(whole.out / "labels.parquet"))


def test_a_person_at_the_terminal_is_asked(
    cli: Cli, one_model_hub: str, tmp_path: Path, run_environment: dict[str, str]
) -> None:
    with serving(play(STOPS)) as server:
        run = Stopped(cli, one_model_hub, tmp_path, server)
        environment = {**run_environment, **run.environment}
        assert run.call(*run.command).returncode == 6
        assert talk(["resume", str(run.out)], environment, ["n\n"]) == 6
        assert talk(["resume", str(run.out)], environment, ["y\n", "yes\n"]) == 0
    assert (run.out / "manifest.json").exists()


def talk(command: list[str], environment: dict[str, str], answers: list[str]) -> int:
    """Run a command at a terminal, give the answers to its questions in turn, and return its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoannotator", *command], cwd=ROOT, env=environment,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the terminal closed: the process has ended
            break
        if answers and b"Go on all the same?" in said:
            os.write(ours, answers.pop(0).encode())
            said = b""
    os.close(ours)
    return process.wait(timeout=60)


ROWS, PROBE, SEED = 120, 30, 3


def break_on(word: str, models: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    """Return a team whose coder prepares texts for some models with code that fails on a word."""
    team = play({})
    failing = f"    if {word!r} in text:\n        raise ValueError({word!r})\n"
    code = f"def preprocess(text: str, text_pair: str | None) -> str:\n{failing}    return text"

    def answer(request: dict[str, Any]) -> Any:
        reply = team(request)
        if read_role(request) == "coder" and any(model in request["messages"][1]["content"] for model in models):
            return f"{reply}\n```python\n{code}\n```"
        return reply

    return answer


def run_on_late_word(models: tuple[str, ...], hub: str, out: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any):
    """Run where one row of the third stage, which no probe has seen, holds a word that these models' scripts dread."""
    texts = [text for text, _ in make_sentences(ROWS, seed=12)]
    seen = draw_pool(ROWS, Settings.model_fields["probe_pool"].default * count_paid_rows(PROBE, ROWS), SEED)
    late = next(row for row in range(80, 90) if row not in seen)
    texts[late] += " dreaded"
    with serving(break_on("dreaded", models)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        return annotate(
            SENTENCE, data=pd.DataFrame({"text": texts}), hub=hub, llm="openai:scripted", sandbox="process", models=2,
            stage_size=30, probe_size=PROBE, seed=SEED, out=out, on_event=lambda event: None,
            **{"vote": "soft", "worth": 0, "review_share": 0.2, **settings},
        )  # fmt: skip


def test_a_specialist_that_breaks_late_is_dropped_and_the_run_goes_on(
    small_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    run = run_on_late_word(("film-sentiment",), small_hub, tmp_path / "out", monkeypatch, pool_size=32)
    [dropped] = [event for event in run.folder.read_events() if isinstance(event, SpecialistDropped)]
    assert (dropped.model, dropped.stage) == (FILM, 2)
    assert "dreaded" in dropped.reason
    assert run.labels["label"].notna().all()
    assert [set(dict(votes)) for votes in run.labels["votes"][[0, 59, 60, 119]]] == [{FILM, REVIEW}] * 2 + [
        {REVIEW}
    ] * 2
    lessons = {path.parent.name for path in run.folder.path.glob("models/*/v*")}
    assert FILM not in lessons, "it was dropped before the first lesson"
    assert REVIEW in lessons
    assert "dropped from stage 2 on" in run.report.read_text()


def test_a_calibrated_vote_goes_on_without_a_specialist_that_breaks_late(
    small_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    models = ("film-sentiment",)
    run = run_on_late_word(
        models, small_hub, tmp_path / "out", monkeypatch, vote="calibrated", learning=False, target_error=0.2
    )
    [dropped] = [event for event in run.folder.read_events() if isinstance(event, SpecialistDropped)]
    assert (dropped.model, dropped.stage) == (FILM, 2)
    tables = [pd.read_parquet(run.folder.stage_labels(stage)) for stage in range(4)]
    assert [{frozenset(dict(votes)) for votes in table["votes"]} for table in tables] == [
        {frozenset({FILM, REVIEW})}
    ] * 2 + [{frozenset({REVIEW})}] * 2
    assert all(run.folder.combination(stage).exists() for stage in range(4)), "it is fitted to what is left"
    assert run.labels["label"].notna().all()
    assert run.labels["confidence"].notna().all(), "of audited rows too, whose label is the answer"
    assert run.labels["source"].eq("llm").equals(run.labels["review_label"].notna())
    seen = [pd.read_parquet(path) for path in sorted((run.folder.path / "votes").glob("stage-000[23]/*.parquet"))]
    assert len(seen) == 2
