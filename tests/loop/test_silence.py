"""A run whose reviewer stops answering: it is not asked on and on, and the run says so."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator import annotate
from records.events import Event, Noticed, RowsReviewed, StageStarted
from records.task import CANNOT_TELL
from tests.conftest import SENTENCE
from tests.llm_server import play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences


@pytest.mark.xdist_group("estimate")
def test_a_reviewer_that_answers_no_more_is_asked_for_two_rounds_of_a_stage(
    one_model_hub: str, tmp_path: Path, run_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent: list[bool] = []

    def say(text: str) -> str:
        return CANNOT_TELL if silent else label_of(text)

    def fall_silent(event: Event) -> None:
        if isinstance(event, StageStarted):
            silent.append(True)

    settings: dict[str, Any] = {"target_error": 0.01, "review_batch": 5, "spot_check_share": 0, "learning": False}
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    with serving(play_team(LABELS, say, class_of)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        data = pd.DataFrame({"text": [text for text, _ in make_sentences(80, seed=8)]})
        run = annotate(
            SENTENCE, data=data, hub=one_model_hub, llm="openai:scripted", sandbox="process", stage_size=80,
            out=tmp_path / "out", on_event=fall_silent, **settings,
        )  # fmt: skip
    events = list(run.folder.read_events())
    rounds = [one.rows for one in events if isinstance(one, RowsReviewed)]
    assert rounds[:3] == [10, 10, 0], "of the 60 rows that the probe left"
    told = [one.message for one in events if isinstance(one, Noticed)]
    reason = "Stage 1: no more rows are reviewed for risk, since the last 20 rows got no answer from the reviewer"
    assert any(message.startswith(reason) for message in told)
    assert reason in " ".join(run.report.read_text(encoding="utf-8").split())
    assert run.labels["label"].notna().all(), "they keep their vote"
