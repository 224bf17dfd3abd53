"""A whole run with a language model of which 30 % of all replies are faulty, each kind of fault among them."""

from pathlib import Path

import pandas as pd
import pytest

from autoannotator import annotate
from records.events import Event, RowsReviewed
from tests.conftest import SENTENCE
from tests.faults import FAULTS, FaultyScript
from tests.llm_server import play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ROWS = 2000


def test_a_run_finishes_whatever_its_model_does_and_no_row_has_another_rows_answer(
    tiny_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    data = pd.DataFrame({"text": [text for text, _ in make_sentences(ROWS, seed=8)]})
    script = FaultyScript(play_team(LABELS, label_of, class_of), FAULTS, share=0.3, seed=3)
    events: list[Event] = []
    with serving(script) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        run = annotate(
            SENTENCE, data=data, hub=tiny_hub, sandbox="process", llm="openai:faulty", learning=False, review_batch=4,
            llm_timeout=1.5, out=tmp_path / "out", on_event=events.append,
        )  # fmt: skip
        asked = len(server.log)
    assert set(script.counts) == {fault.__name__ for fault in FAULTS}
    assert script.counts.total() > 0.2 * asked
    labels = run.labels
    assert labels["text"].tolist() == data["text"].tolist()
    reviewed = labels[labels["source"] == "llm"]
    assert len(reviewed) > 0.15 * ROWS
    assert reviewed["label"].tolist() == [label_of(text) for text in reviewed["text"]]
    failed = labels[labels["review_failed"]]
    assert (failed["source"] == "vote").all(), "a row whose review failed keeps its vote"
    assert failed["label"].notna().all()
    assert len(failed) == sum(event.failed for event in events if isinstance(event, RowsReviewed))
    assert labels["label"].notna().all()
