"""The forecast before the first stage: what it says, where it makes a run wait, and what it came to."""

import datetime
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator import annotate
from autoannotator.api import open_run
from autoannotator.command_line import main
from autoannotator.runner import let_spend, refuse_to_ask
from graphs.estimating import FITS_OF_A_STAGE
from graphs.state import Question
from records.errors import WaitingForPersonError
from records.events import Event, Forecasted, ProbeLabelled, RunStarted, StageStarted
from records.folder import read_record
from records.ledger import Ledger
from records.outcome import Forecast
from tests.conftest import SENTENCE
from tests.llm_server import LLMServer, play_team, read_role, read_rows, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 160
PROBE = 32
PRICE = (1.0, 2.0)
SETTINGS: dict[str, Any] = {
    "llm": "openai:scripted",
    "llm_price": PRICE,
    "budget": 5.0,
    "stage_size": 40,
    "sandbox": "process",
    "learning": False,
}

pytestmark = pytest.mark.xdist_group("estimate")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]) -> Iterator[LLMServer]:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    with serving(play_team(LABELS, label_of, class_of)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def write_rows(folder: Path, rows: int = ROWS) -> Path:
    data = folder / "rows.csv"
    pd.DataFrame({"text": [text for text, _ in make_sentences(rows, seed=8)]}).to_csv(data, index=False)
    return data


def count_reviewed(server: LLMServer) -> int:
    return sum(len(read_rows(one)) for one in server.requests() if read_role(one) == "reviewer")


def test_estimate_stops_after_the_forecast_and_resume_goes_on(
    one_model_hub: str, tmp_path: Path, server: LLMServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--hub", one_model_hub, "--llm", "openai:scripted", "--llm-price", "1,2", "--sandbox", "process"]
    fixed = ["--no-learning", "--stage-size", "40", "--out", str(out), "--json"]
    assert main(["estimate", SENTENCE, "--data", str(write_rows(tmp_path)), *arguments, *fixed]) == 0
    told = json.loads(capsys.readouterr().out)
    run = open_run(out)
    forecast = read_record(run.folder.forecast, Forecast)
    assert told["forecast"] == forecast.model_dump(mode="json")
    assert told["next"] == f"autoannotator resume {out}"
    assert (forecast.rows, forecast.pilot, forecast.reviewed) == (ROWS, 2 * PROBE, PROBE)
    assert count_reviewed(server) == PROBE, "nothing but the probe was asked for"
    check_money(forecast, server)
    events = list(run.folder.read_events())
    assert not any(isinstance(event, StageStarted) for event in events)
    began, told_at = (
        datetime.datetime.fromisoformat(next(one.time for one in events if isinstance(one, kind)))
        for kind in (RunStarted, Forecasted)
    )
    assert forecast.seconds_before == pytest.approx((told_at - began).total_seconds(), rel=0.2)
    assert forecast.seconds.expected > 4 * FITS_OF_A_STAGE * 0.01, "the vote is fitted many times in each of 4 stages"
    assert main(["status", str(out), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["state"].startswith("stopped after the forecast")
    assert (status["next"], status["error"]) == (f"autoannotator resume {out}", "")
    assert main(["resume", str(out), "--json"]) == 0
    finished = json.loads(capsys.readouterr().out)
    assert finished["rows"] == ROWS
    assert read_record(run.folder.forecast, Forecast) == forecast, "it was told once"
    reviewed = count_reviewed(server)
    assert forecast.reviews.low <= reviewed <= forecast.reviews.high
    page = run.report.read_text(encoding="utf-8")
    assert "Forecast, and what it came to" in page
    assert f"<dd>{reviewed:,}; forecast " in page


def check_money(forecast: Forecast, server: LLMServer) -> None:
    """Dollars are what the probe's tokens cost, scaled to the rows."""
    assert forecast.usd is not None
    assert forecast.usd_ahead is not None
    assert forecast.audit_usd is not None
    asked = [one for one in server.log if read_role(one.request) == "reviewer"]
    read = sum(len(message["content"].split()) for one in asked for message in one.request["messages"])
    written = sum(len(str(one.answer).split()) for one in asked)
    usd = (read * PRICE[0] + written * PRICE[1]) / 1e6
    assert 0.5 * usd / PROBE < forecast.audit_usd / forecast.audit.expected < usd / PROBE, "its requests are fuller"
    assert 0 < forecast.usd_ahead.low < forecast.usd_ahead.expected < forecast.usd_ahead.high
    assert forecast.usd.expected == pytest.approx(forecast.usd_ahead.expected + usd)


def test_a_run_whose_forecast_is_over_its_budget_waits_for_leave_or_money(
    one_model_hub: str, tmp_path: Path, server: LLMServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def spend(event: Event) -> None:
        """Have hardly anything left once the probe was paid for."""
        if isinstance(event, ProbeLabelled):
            with closing(Ledger(out / "ledger.sqlite")) as ledger:
                ledger.open_charge("reviewer", None, "scripted", 4.99999 - ledger.sum_spent())

    with pytest.raises(
        WaitingForPersonError, match=r"more at least, by the forecast, .* \(\$0\.\d+\), and \$0.00\d+ of the budget"
    ) as waits:
        annotate(SENTENCE, data=write_rows(tmp_path, 80), hub=one_model_hub, out=out, on_event=spend, **SETTINGS)
    assert waits.value.exit_status == 6
    asked = len(server.log)
    assert main(["resume", str(out)]) == 6
    assert "--yes goes on until it is spent, --budget USD with more" in capsys.readouterr().err
    assert main(["resume", str(out), "--budget", "5.00001"]) == 6, "that does not do either"
    assert len(server.log) == asked, "a run that waits spends nothing"
    assert main(["resume", str(out), "--budget", "6"]) == 0, "more money is leave enough"
    assert len(server.log) > asked


def test_yes_spends_and_answers_no_other_question() -> None:
    ask = let_spend(refuse_to_ask)
    assert ask(Question(asks="spend", text="Over the budget.\nNext.", in_words=False)) == "yes"
    with pytest.raises(WaitingForPersonError):
        ask(Question(asks="go_on", text="The critic would stop.\nNext.", in_words=False))
