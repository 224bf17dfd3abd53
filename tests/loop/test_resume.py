"""A run that ended because a role gave no usable reply is resumed: exit 5 says that it can be."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator import annotate, open_run
from records.errors import ReplyError
from tests.conftest import SENTENCE
from tests.llm_server import Answer, play_team, read_role, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences


def test_a_run_goes_on_where_its_model_talked_nonsense(
    one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    """The first three replies to each of the two roles are unusable; it is resumed until it finishes."""
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    team = play_team(LABELS, label_of, class_of)
    left: dict[str, int] = {"analyst": 3, "selector": 3}

    def answer(request: dict[str, Any]) -> Answer:
        role = read_role(request)
        if not left.get(role):
            return team(request)
        left[role] -= 1
        return "Nonsense."

    data = pd.DataFrame({"text": [text for text, _ in make_sentences(24, seed=4)]})
    out = tmp_path / "out"
    with serving(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        with pytest.raises(ReplyError, match="gave the analyst no usable reply"):
            annotate(
                SENTENCE, data=data, hub=one_model_hub, sandbox="process", llm="openai:scripted", models=1,
                learning=False, out=out,
            )  # fmt: skip
        with pytest.raises(ReplyError, match="gave the selector no usable reply"):
            open_run(out).resume()
        run = open_run(out).resume()
    assert set(run.labels["label"]) <= set(LABELS)
    assert not any(left.values())


def test_a_run_goes_on_that_was_killed_between_a_nodes_end_and_its_checkpoint(
    one_model_hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_environment: dict[str, str]
) -> None:
    """Then what the node gave is on the disk, and the last checkpoint is still that of before the node."""
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    team = play_team(LABELS, label_of, class_of)
    broken = True

    def answer(request: dict[str, Any]) -> Answer:
        return "Nonsense." if broken and read_role(request) == "selector" else team(request)

    data = pd.DataFrame({"text": [text for text, _ in make_sentences(24, seed=4)]})
    out = tmp_path / "out"
    with serving(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        with pytest.raises(ReplyError, match="gave the selector no usable reply"):
            annotate(
                SENTENCE, data=data, hub=one_model_hub, sandbox="process", llm="openai:scripted", models=1,
                learning=False, out=out,
            )  # fmt: skip
        with closing(sqlite3.connect(out / "checkpoints.sqlite")) as checkpoints, checkpoints:
            drop = "DELETE FROM checkpoints WHERE checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints)"
            assert checkpoints.execute(drop).rowcount == 1
        broken = False
        run = open_run(out).resume()
    assert set(run.labels["label"]) <= set(LABELS)
    assert len(run.labels) == 24
