"""A run that is killed at any point and resumed gives the labels of one that never stopped, and asks nothing twice.

One run is killed at every moment, one after the other: each kill meets what the ones before left behind, and all of
them cost little more than one run. A later kill might hide what an earlier one broke, so a few moments, where most is
at stake, are killed alone too.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.server import HubServer
from tests.conftest import ROOT, SENTENCE, Cli
from tests.llm_server import LLMServer, play_team, read_role, serving
from tests.tiny_hub import LABELS, build_tiny_hub, class_of, label_of, make_sentences

ROWS = 90
SECONDS = 240

pytestmark = pytest.mark.xdist_group("kill")  # one worker, one run to compare with

Moment = Callable[[Path, int], bool]
"""From the run's folder, and how many events it had when its process started, to whether the moment has come."""


def begun(node: str) -> Moment:
    """Return the moment at which a process begins a node."""
    return lambda out, known: any(event.get("node") == node for event in read_lines(out / "events.jsonl")[known:])


def written(pattern: str) -> Moment:
    """Return the moment at which a file of the run appears."""
    return lambda out, known: any(out.glob(pattern))


def learning(seconds: float) -> Moment:
    """Return a moment while a fine-tune script has been running for so long."""

    def is_now(out: Path, known: int) -> bool:
        if not (out / "scratch/lesson-0001/lesson.parquet").exists():
            return False
        scripts = [path for path in Path("/proc").glob("[0-9]*") if b"finetune.py" in read_command(path)]
        if not any(str(out).encode() in command for path in scripts for command in read_ancestry(path)):
            return False
        time.sleep(seconds)
        return True

    return is_now


def read_command(process: Path) -> bytes:
    """Return the command line of a process in /proc; empty where it has ended."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def read_ancestry(process: Path) -> Iterator[bytes]:
    """Yield the command lines of a process and of those that it descends from."""
    while process.name != "0" and (command := read_command(process)):
        yield command
        try:
            process = Path("/proc") / (process / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return


MOMENTS: dict[str, Moment] = {
    "before the first checkpoint": written("settings.yaml"),
    "analyse_task": begun("analyse_task"),
    "search_hub": begun("search_hub"),
    "the crawl written": written("hub/crawl.json"),
    "select_candidates": begun("select_candidates"),
    "download_models": begun("download_models"),
    "write_scripts": begun("write_scripts"),
    "test_scripts": begun("test_scripts"),
    "criticise_scripts": begun("criticise_scripts"),
    "repair_scripts": begun("repair_scripts"),
    "the repaired script's test": begun("test_scripts"),
    "audition": begun("audition"),
    "the probe annotated": written("scratch/audition/*/rows-00000.parquet"),
    "estimate": begun("estimate"),
    "annotate_stage": begun("annotate_stage"),
    "vote": begun("vote"),
    "review": begun("review"),
    "spot_check": begun("spot_check"),
    "criticise_stage": begun("criticise_stage"),
    "relabel": begun("relabel"),
    "finish_stage": begun("finish_stage"),
    "a shard annotated": written("scratch/stage-0001/*/rows-00000.parquet"),
    "fine_tune": begun("fine_tune"),
    "the middle of fine-tuning": learning(3.0),
    "a checkpoint of a training": written("scratch/lesson-0001/*/checkpoint.safetensors"),
    "one specialist has learned": written("models/*/v1/metrics.json"),
    "gate": begun("gate"),
    "the stage after learning": begun("annotate_stage"),
    "audit": begun("audit"),
    "the audit planned": written("audit/01/plan.json"),
    "a look at the audit": written("audit/01/record.json"),
    "certify": begun("certify"),
    "report": begun("report"),
    "labels written": written("labels.parquet"),
}
"""In the order of a run. A node's second time comes where the kill before it was after the first."""

ALONE = ("review", "the middle of fine-tuning", "labels written")
"""Moments that are killed alone too: paid answers under way, a lesson under way, and the end."""


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file of JSON lines that may still be growing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().decode().splitlines(keepends=True) if line.endswith("\n")]


def make_team() -> Callable[[dict[str, Any]], str]:
    """Return a team whose critic refuses the first script of one model, so that it is repaired, and whose result critic
    has rows of the first stage relabelled."""
    relabel = {
        "action": "relabel_pair",
        "labels": LABELS,
        "evidence": ["stage.unanimous"],
        "reason": "Too many differ.",
    }
    play = play_team(LABELS, label_of, class_of)

    def answer(request: dict[str, Any]) -> str:
        said = request["messages"][1]["content"]
        if read_role(request) == "critic" and "film-sentiment" in said and "mended" not in said:
            line = int(said.split("`LABEL_MAP`: lines ")[1].split()[0])
            fault = {"line": line, "fault": "it is not mended", "mend": "say that it is"}
            return json.dumps({"approved": False, "reasons": [fault]})
        if read_role(request) == "result_critic" and '"stages_left": 2' in said:
            return json.dumps(relabel)
        reply = str(play(request))
        if read_role(request) == "coder" and "was refused" in said:
            return f"{reply}\n```python\ndef preprocess(text, text_pair):\n    return text  # mended\n```"
        return reply

    return answer


@pytest.fixture(scope="module")
def server() -> Iterator[LLMServer]:
    with serving(make_team()) as running:
        yield running


@pytest.fixture(scope="module")
def small_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Hub with two models, so that no time goes into a third that would not vote."""
    with HubServer(build_tiny_hub(tmp_path_factory.mktemp("hub"), ("film-sentiment", "review-sentiment"))) as server:
        yield server.url


@pytest.fixture(scope="module")
def arguments(small_hub: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    data = tmp_path_factory.mktemp("data") / "rows.jsonl"
    rows = [{"text": text} for text, _ in make_sentences(ROWS, seed=11)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [
        "run", SENTENCE, "--data", str(data), "--hub", small_hub, "--llm", "openai:scripted", "--sandbox", "process",
        "--models", "2", "--stage-size", "30", "--pool-size", "22", "--target-error", "0.05", "--review-share", "0.2",
        "--out",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(
    cli: Cli, arguments: list[str], server: LLMServer, tmp_path_factory: pytest.TempPathFactory
) -> pa.Table:
    out = tmp_path_factory.mktemp("whole") / "out"
    done = cli(*arguments, out, OPENAI_BASE_URL=server.base_url)
    assert done.returncode == 0, done.stderr
    assert (out / "models").is_dir(), "the run that is compared with has learned"
    assert "relabel  3 rows" in done.stderr, "the run that is compared with has relabelled rows"
    assert "attempt 2: approved" in done.stderr, "the run that is compared with has repaired a script"
    return pq.read_table(out / "labels.parquet")


def kill_at(name: str, command: list[str], out: Path, environment: dict[str, str]) -> None:
    """Start a run and kill its whole process group at the moment of this name; fail where that does not come."""
    known = len(read_lines(out / "events.jsonl"))
    said = out.with_name("said.txt")
    with said.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "autoannotator", *command, str(out)],
            cwd=ROOT, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
        )  # fmt: skip
    deadline = time.monotonic() + SECONDS
    try:
        while (status := process.poll()) is None and time.monotonic() < deadline:
            if MOMENTS[name](out, known):
                os.killpg(process.pid, signal.SIGKILL)
                return
            time.sleep(0.005)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    ended = f"did not come to it in {SECONDS} s" if status is None else f"ended before it with status {status}"
    pytest.fail(f"{name}: the run {ended}\n{said.read_text()}")


def read_answered(out: Path) -> set[str]:
    """Return the messages of every request whose reply is in the ledger of a killed run."""
    if not (out / "ledger.sqlite").exists():
        return set()
    with sqlite3.connect(out / "ledger.sqlite") as ledger:
        tables = ledger.execute("SELECT name FROM sqlite_master WHERE name = 'answers'").fetchall()
        rows = ledger.execute("SELECT request FROM answers").fetchall() if tables else []
    return {json.dumps(json.loads(request)["messages"]) for (request,) in rows}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("names", [tuple(MOMENTS), *((name,) for name in ALONE)], ids=["all", *ALONE])
def test_a_killed_run_ends_as_if_it_had_not_been(  # noqa: PLR0917 (fixtures)
    names: tuple[str, ...],
    cli: Cli,
    arguments: list[str],
    server: LLMServer,
    run_environment: dict[str, str],
    uninterrupted: pa.Table,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    environment = {**run_environment, "OPENAI_BASE_URL": server.base_url}
    command = arguments
    for name in names:
        answered, asked = read_answered(out), len(server.requests())
        kill_at(name, command, out, environment)
        assert find_repeated(server, asked, answered) == [], f"on the way to {name}"
        command = ["resume"]
    answered, asked = read_answered(out), len(server.requests())
    done = cli("resume", out, OPENAI_BASE_URL=server.base_url)
    assert done.returncode == 0, done.stderr
    assert find_repeated(server, asked, answered) == []
    assert pq.read_table(out / "labels.parquet").equals(uninterrupted)
    assert (out / "manifest.json").exists()
    assert not (out / "scratch").exists()


def find_repeated(server: LLMServer, asked: int, answered: set[str]) -> list[dict[str, Any]]:
    """Return the requests since the first `asked` ones whose reply was in the ledger already."""
    return [request for request in server.requests()[asked:] if json.dumps(request["messages"]) in answered]


def test_every_node_is_killed_at_least_once() -> None:
    from graphs.annotate import NODES, WAITING

    killed = {name for name in MOMENTS if name in {node.__name__ for node in NODES}}
    waiting = {node.__name__ for node in WAITING}
    assert killed | waiting == {node.__name__ for node in NODES}, "those that wait for a person have tests of their own"
