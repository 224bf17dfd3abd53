"""A budget over whole runs: it ends one in good order, a larger one goes on, and what was saved is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator import annotate
from autoannotator.api import Run
from autoannotator.command_line import main
from autoannotator.summary import summarise_run
from records.errors import SettingsError
from records.events import Noticed
from records.folder import read_record
from records.settings import Settings
from tests.batch_server import serving_batches
from tests.conftest import SENTENCE
from tests.llm_server import LLMServer, Refusal, play_team, read_role, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 80
PRICE = (1.0, 2.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]) -> Iterator[LLMServer]:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    with serving(play_team(LABELS, label_of, class_of)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def start(hub: str, out: Path, **settings: Any) -> Run:
    data = pd.DataFrame({"text": [text for text, _ in make_sentences(ROWS, seed=8)]})
    return annotate(
        SENTENCE, data=data, hub=hub, sandbox="process", llm="openai:scripted", llm_price=PRICE, learning=False,
        stage_size=40, out=out, on_event=lambda event: None, **settings,
    )  # fmt: skip


def test_a_budget_of_cents_ends_with_labels_and_a_larger_one_goes_on(
    one_model_hub: str, tmp_path: Path, server: LLMServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules take the place of the roles that cannot be paid, and every row has the specialists' label."""
    out = tmp_path / "out"
    run = start(one_model_hub, out, budget=0.0138, yes=True)
    assert run.labels["label"].notna().all()
    assert summarise_run(run.folder).exit_status == 4
    spent = sum(role["usd"] + role["reserved_usd"] for role in run.cost["roles"])
    assert 0 < spent <= 0.0138
    told = [event.message for event in run.folder.read_events() if isinstance(event, Noticed)]
    assert any(message.startswith("Rules take the script critic's place") for message in told)
    assert any("The budget pays for 0 of the 20 reviews" in message for message in told)
    assert run.certificate["audited"] == 4, "what its audit takes was kept back from the start"
    assert run.certificate["unanswered"] == 0
    with pytest.raises(SettingsError, match="are spent already"):
        run.resume(budget=1e-9)
    assert read_record(run.folder.settings, Settings).budget == 0.0138
    assert main(["resume", str(out), "--budget", "0.01380001"]) == 4
    asked = len(server.log)
    run.resume(budget=9.0, on_event=lambda event: None)
    assert read_record(run.folder.settings, Settings).budget == 9.0
    told = [event.message for event in run.folder.read_events() if isinstance(event, Noticed)]
    assert any("the budget is 9 USD now" in message and "before: 0.0138" in message for message in told)
    assert run.labels["label"].notna().all()
    assert len(server.log) > asked
    assert main(["resume", str(out), "--budget", "20"]) == 2
    check_cost(run, server)


def check_cost(run: Run, server: LLMServer) -> None:
    """The cost is by role and stage, and says what all rows would have cost."""
    cost = run.cost
    assert sum(role["requests"] for role in cost["roles"]) == len(server.log)
    stages = {(role["role"], role["stage"]) for role in cost["roles"]}
    assert {("reviewer", 0), ("reviewer", 1), ("reviewer", 2)} <= stages
    assert "result_critic" in {role for role, _ in stages}
    assert all(role["usd"] > 0 and role["reserved_usd"] == 0 for role in cost["roles"])
    told = cost["all_rows"]
    assert (told["rows"], told["batch"], told["reason"]) == (ROWS, 10, "")
    assert (told["single"]["requests"], told["batched"]["requests"]) == (ROWS, ROWS // 10)
    assert told["single"]["usd"] > 3 * told["batched"]["usd"] > 0
    page = run.report.read_text(encoding="utf-8")
    assert "With the language model alone, all 80 rows, one row in a request: $" in page


def test_a_budget_is_refused_where_nobody_knows_a_price(
    one_model_hub: str, tmp_path: Path, server: LLMServer, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.txt", tmp_path / "out"
    data.write_text("a good film\na bad film\n", encoding="utf-8")
    arguments = ["run", SENTENCE, "--data", str(data), "--hub", one_model_hub, "--llm", "openai:scripted"]
    assert main([*arguments, "--out", str(out), "--budget", "1", "--sandbox", "process", "--yes"]) == 2
    assert "no price is known for scripted" in capsys.readouterr().err
    assert not out.exists()
    assert server.hits == 0


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf"])
def test_a_budget_is_a_sum_of_money(budget: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "rows.txt"
    data.write_text("a good film\n", encoding="utf-8")
    assert main(["run", SENTENCE, "--data", str(data), "--budget", budget, "--out", str(tmp_path / "out")]) == 2
    assert f"--budget {float(budget)}" in capsys.readouterr().err


def test_a_run_with_batches(
    one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    with serving_batches(play_team(LABELS, label_of, class_of)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        server.rules.looks = 0
        server.rules.refuses["/v1/batches"] = Refusal(404)
        with pytest.raises(SettingsError, match="has no batches"):
            start(one_model_hub, tmp_path / "refused", batch_api=True)
        assert not (tmp_path / "refused").exists()
        assert server.log == []
        server.rules.refuses.clear()
        run = start(one_model_hub, tmp_path / "out", batch_api=True, budget=2.0)
    assert run.labels["label"].notna().all()
    assert len(server.batches) >= 2
    batched = [one.request for one in server.log if "batch" in one.headers]
    assert {read_role(request) for request in batched} == {"reviewer"}
    assert sum(role["requests"] for role in run.cost["roles"]) == len(server.log)
    assert run.cost["all_rows"]["single"]["usd"] > 0


def test_without_a_language_model_there_is_nothing_to_compare(
    one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    data = pd.DataFrame({"text": [text for text, _ in make_sentences(40, seed=8)]})
    run = annotate(
        SENTENCE, data=data, hub=one_model_hub, sandbox="process", learning=False, budget=1.0, out=tmp_path / "out",
        on_event=lambda event: None,
    )  # fmt: skip
    assert run.cost["all_rows"]["reason"] == "no language model was asked"
    assert json.loads(run.folder.cost.read_text())["all_rows"]["single"] is None
