"""A key is written nowhere: not in the run folder, not on the terminal, whoever sends it back."""

import base64
import json
from pathlib import Path

import pandas as pd
import pytest

from autoannotator.command_line import main
from tests.conftest import SENTENCE, Cli
from tests.llm_server import Answer, Refusal, play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

KEY = "sk-distinctive-4711-key"
PASSWORD = "-".join(("distinctive", "4711", "password"))
BASIC = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
SECRETS = tuple(secret.encode() for secret in (KEY, PASSWORD, BASIC, "distinctive-4711"))


def find_leaks(folder: Path, *printed: str) -> list[str]:
    """Return where a secret is: files (their raw bytes) and streams."""
    places = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    places |= {f"stream {number}": text.encode() for number, text in enumerate(printed)}
    return [place for place, data in places.items() if any(secret in data for secret in SECRETS)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"text": [text for text, _ in make_sentences(60, seed=4)]}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("user", ["", f"user:{PASSWORD}@"])
def test_a_server_that_sends_the_key_back_gets_it_into_no_file(
    cli: Cli, one_model_hub: str, data: Path, tmp_path: Path, user: str
) -> None:
    play = play_team(LABELS, label_of, class_of)
    requests = 0

    def echo(request: dict) -> Answer:
        nonlocal requests
        requests += 1
        sent = server.sent.get("authorization", "")
        if requests % 4 == 1:
            body = json.dumps({"error": {"message": f"overloaded; you sent {sent}"}})
            return Refusal(503, body, {"retry-after-ms": "1"})
        return f"You sent {sent}.\n{play(request)}\n(Authorization: {sent})"

    out = tmp_path / "out"
    with serving(echo) as server:
        done = cli(
            "run", SENTENCE, "--data", data, "--hub", one_model_hub, "--llm", "openai:echo", "--sandbox", "process",
            "--models", "1", "--no-learning", "--out", out,
            OPENAI_BASE_URL=server.base_url.replace("://", f"://{user}"), OPENAI_API_KEY=KEY,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert any(secret in server.sent["authorization"].encode() for secret in SECRETS), "the key was sent, and back"
    assert b"[key]" in (out / "ledger.sqlite").read_bytes()
    assert find_leaks(out, done.stdout, done.stderr) == []


@pytest.mark.parametrize("status", [400, 401, 404, 500, 200])
def test_an_error_that_names_the_key_is_told_without_it(  # noqa: PLR0917 (fixtures)
    one_model_hub: str,
    data: Path,
    tmp_path: Path,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    refusal = Refusal(status, json.dumps({"error": {"message": f"bad key {KEY}"}}), {"retry-after-ms": "1"})
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    arguments = ("--data", str(data), "--hub", one_model_hub, "--llm", "openai:echo", "--sandbox", "process")
    with serving(lambda request: refusal) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert main(["run", SENTENCE, *arguments, "--out", str(out), "--debug", "--json"]) == 5
    printed = capfd.readouterr()
    assert "Traceback" in printed.err
    assert find_leaks(out, *printed) == []
