"""Nothing of the person's data goes to another machine before they know how much, and have agreed."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from autoannotator import annotate
from records.errors import PersonError
from records.events import EndpointApproved, NodeStarted, Noticed
from records.folder import RunFolder
from tests.conftest import ROOT, SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of, make_sentences

ELSEWHERE = {"OPENAI_BASE_URL": "https://user:password@models.example.org/v1", "OPENAI_API_KEY": "none-of-yours"}
"""An endpoint that is never reached: a request to it would end in another error."""
NO_HUB = "http://127.0.0.1:9"
"""A run with this Hub stops, resumable, after its analyst was asked."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"text": [text for text, _ in make_sentences(400, seed=4)]}).to_csv(path, index=False)
    return path


@pytest.fixture
def server():
    with serving(play_team(LABELS, label_of, class_of)) as server:
        yield server


def far(server: LLMServer) -> dict[str, str]:
    """Return the environment in which the server has an address that is not this machine's loopback."""
    return {"OPENAI_BASE_URL": server.base_url.replace("127.0.0.1", "0.0.0.0"), "OPENAI_API_KEY": "any-word"}


def command(data: Path, out: Path, *more: str) -> list[str]:
    return ["run", SENTENCE, "--data", str(data), "--hub", NO_HUB, "--llm", "openai:gpt", "--out", str(out), *more]


def approvals(out: Path) -> list[tuple[str, str, int]]:
    events = RunFolder.open(out).read_events()
    return [(event.host, event.model, event.rows) for event in events if isinstance(event, EndpointApproved)]


def test_without_a_word_nothing_is_sent_and_nothing_is_left(cli: Cli, data: Path, tmp_path: Path) -> None:
    done = cli(*command(data, tmp_path / "runs" / "out"), **ELSEWHERE)
    assert done.returncode == 2, done.stderr
    # The analyst's 20, 8 for the scripts' tests, a probe of 80, half of 400 rows for their risk, 2 % to spot-check,
    # 10 % of a confused pair, one a stage, 5 % to audit.
    assert "gpt at models.example.org may see up to 400 of the 400 rows" in done.stderr
    assert "--yes" in done.stderr
    assert "password" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_file_that_cannot_be_read_is_told_before_anybody_is_asked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n")
    done = cli(*command(tmp_path / "rows.csv", tmp_path / "out"), **ELSEWHERE)
    assert done.returncode == 2
    assert "no rows below its header" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_word_is_shown_recorded_and_good_for_one_model_at_one_host(
    cli: Cli, data: Path, tmp_path: Path, server: LLMServer
) -> None:
    out = tmp_path / "out"
    done = cli(*command(data, out, "--yes", "--sandbox", "process"), **far(server))
    assert done.returncode == 5, done.stderr
    assert server.log, "the analyst was asked"
    host = far(server)["OPENAI_BASE_URL"].split("/")[2]
    assert f"gpt at {host} may see up to 400 rows" in done.stderr
    assert approvals(out) == [(host, "gpt", 400)]
    kinds = [type(event) for event in RunFolder.open(out).read_events()]
    assert kinds.index(EndpointApproved) < kinds.index(NodeStarted)

    again = cli("resume", out, **far(server))
    assert again.returncode == 5, again.stderr
    assert len(approvals(out)) == 1

    elsewhere = cli("resume", out, **ELSEWHERE)
    assert elsewhere.returncode == 2
    assert "models.example.org" in elsewhere.stderr
    assert out.exists(), "what was paid for stays"
    assert cli("resume", out, "--yes", **far(server)).returncode == 5


def test_an_endpoint_on_this_machine_is_told_of_and_needs_no_word(
    cli: Cli, data: Path, tmp_path: Path, server: LLMServer
) -> None:
    done = cli(*command(data, tmp_path / "out", "--sandbox", "process"), OPENAI_BASE_URL=server.base_url)
    assert done.returncode == 5, done.stderr
    assert "may see up to 400 of the 400 rows. It runs on this machine." in done.stderr
    assert approvals(tmp_path / "out") == []
    assert any(isinstance(event, Noticed) for event in RunFolder.open(tmp_path / "out").read_events())


@pytest.mark.parametrize(("answer", "status"), [("y", 5), ("n", 2), ("", 2)])
def test_at_a_terminal_the_person_is_asked(
    run_environment: dict[str, str], data: Path, server: LLMServer, answer: str, status: int
) -> None:
    out = data.parent / "out"
    said, ended = talk(command(data, out, "--sandbox", "process"), {**run_environment, **far(server)}, answer)
    assert ended == status, said
    assert "may see up to 400 of the 400 rows. Go on? [y/N]" in said
    assert bool(server.log) == (answer == "y")
    assert out.exists() == (answer == "y")


def talk(arguments: list[str], environment: dict[str, str], answer: str) -> tuple[str, int]:
    """Run the command at a terminal, answer its question, and return all that it said and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoannotator", *arguments], cwd=ROOT, env={**environment, "COLUMNS": "200"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, answered = b"", False
    while select.select([ours], [], [], 120)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the terminal closed: the process has ended
            break
        if b"[y/N]" in said and not answered:
            os.write(ours, f"{answer}\n".encode())
            answered = True
    os.close(ours)
    status = process.wait(timeout=60)
    return said.decode(errors="replace"), status


def test_the_python_api_needs_the_word_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    frame = pd.DataFrame({"text": [text for text, _ in make_sentences(10, seed=1)]})
    with pytest.raises(PersonError, match=r"gpt at models\.example\.org may see up to 10 of the 10 rows") as error:
        annotate(SENTENCE, data=frame, llm="openai:gpt", hub=NO_HUB, sandbox="process", out=tmp_path / "out")
    assert "yes=True" in error.value.next_step
    assert not (tmp_path / "out").exists()
