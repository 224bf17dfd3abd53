"""A run that ended because a role gave no usable reply is resumed: exit 5 says that it can be."""

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
