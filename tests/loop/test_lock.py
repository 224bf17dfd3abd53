"""`--lock`: the models of an earlier run again, without a search and without a network, and never a stranger's code."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoannotator.command_line import main
from hub.server import HubServer, ServedRequest
from records.folder import RunFolder
from tests.conftest import SENTENCE, Cli
from tests.odd_hub import TWO, Auditioned, Odd, run_odd, write_odd_hub, write_rows

MODELS = {
    "ann/honest-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=0),
    "ann/reversed-sentiment": Odd(("negative", "positive"), ("positive", "negative"), mistaken=1),
}
URL = "http://127.0.0.1:9"
FOREIGN = '"""Annotate."""\n\nimport subprocess\n\nsubprocess.run(["touch", "FILE"])\n'

pytestmark = pytest.mark.xdist_group("lock")


@pytest.fixture(scope="module")
def first(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Auditioned:
    """A run with gold rows, and after it two with its lock: the Hub is there, and it is not."""
    folder = tmp_path_factory.mktemp("first")
    data, gold = write_rows(folder, TWO, 3)
    served: list[ServedRequest] = []
    with HubServer(write_odd_hub(folder / "hub", MODELS), on_request=served.append) as server:
        first = run_odd(cli, server.url, TWO, data, folder / "out", "--gold", gold)
        assert any(one.target.startswith("/api/models?") for one in served), "the control: the first one searched"
        served.clear()
        run_odd(cli, server.url, TWO, data, folder / "again", "--lock", first.folder.lock)
        assert [one.target for one in served if "/api/models?" in one.target] == []
        url = server.url
    run_odd(cli, url, TWO, data, folder / "offline", "--lock", first.folder.lock, HF_HUB_OFFLINE="1")
    return first


@pytest.mark.parametrize("name", ["again", "offline"])
def test_a_lock_gives_the_same_models_with_the_same_maps(first: Auditioned, name: str) -> None:
    later = Auditioned(RunFolder(first.folder.path.parent / name), "")
    assert later.maps == first.maps == {name: model.label_map for name, model in MODELS.items()}


def change(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda lock: lock["specialists"][0].update(changes)


def point_elsewhere(lock: dict[str, Any]) -> None:
    lock["hub"] = "http://elsewhere:1"


def change_figures(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda lock: lock["specialists"][0]["audition"].update(changes)


def silence_all(lock: dict[str, Any]) -> None:
    for one in lock["specialists"]:
        one["audition"]["weight"] = 0


def enlarge_file(lock: dict[str, Any]) -> None:
    lock["specialists"][0]["files"][0]["size"] = 2**64


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "of another hub": (point_elsewhere, "are from the hub http://elsewhere:1"),
    "other labels": (
        change(label_map={"classes": {"0": "spam", "1": "ham"}, "reason": ""}),
        "says ham, spam; the task's labels are positive, negative",
    ),
    "a name that leads out": (change(repo_id="../up", name="..--up"), "specialists.0.repo_id"),
    "another name": (change(name="../up"), "specialists.0"),
    "a branch for a commit": (change(revision="main"), "specialists.0.revision"),
    "no models": (lambda lock: lock.update(specialists=[]), "specialists"),
    "an older version": (lambda lock: lock.update(version=1), "version"),
    "a part that opens a file": (
        change(source={"preprocess": "open('FILE', 'w')\nreturn text"}), "preprocess uses open",
    ),
    "a script that starts a program": (change(source={"script": FOREIGN}), "imports subprocess"),
    "a weight that is no number": (change_figures(weight=math.nan), "specialists.0.audition.weight: Input should be"),
    "an endless weight": (change_figures(weight=math.inf), "specialists.0.audition.weight: Input should be"),
    "a weight below 0": (change_figures(weight=-1), "specialists.0.audition.weight: Input should be"),
    "votes that count nothing": (silence_all, "the specialists' votes add up to 0"),
    "an endless accuracy": (change_figures(accuracy=math.inf), "specialists.0.audition.accuracy: Input should be"),
    "shares that are none": (
        change_figures(label_shares={"positive": math.nan}), "specialists.0.audition.label_shares.positive: Input",
    ),
    "parameters below 0": (change(parameters=-5), "specialists.0.parameters: Input should be"),
    "a file of more bytes than there are": (enlarge_file, "specialists.0.files.0.size: Input should be"),
    "a class before the first": (
        change(label_map={"classes": {"-1": "negative", "1": "positive"}, "reason": ""}),
        "specialists.0.label_map.classes.-1.[key]: Input should be",
    ),
    "endless hyperparameters": (
        change(source={"hyperparameters": {"epochs": math.inf}}), "specialists.0.source.hyperparameters.epochs: Input",
    ),
    "figures that teach nothing": (change(source={"hyperparameters": {"epochs": -1}}), "hyperparameters"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_lock_that_is_wrong_is_refused_before_anything_is_run(
    name: str, first: Auditioned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, said = WRONG[name]
    lock = json.loads(first.folder.lock.read_text()) | {"hub": URL}
    spoil(lock)
    ran = tmp_path / "ran"
    path = tmp_path / "models.lock.json"
    path.write_text(json.dumps(lock).replace("FILE", str(ran)))
    status, error = give(path, tmp_path / "out", capsys)
    assert status == 2, error
    assert said in error
    assert not ran.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_lock_is_refused(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "models.lock.json"
    if content is not None:
        path.write_bytes(content)
    status, error = give(path, tmp_path / "out", capsys)
    assert status == 2, error
    assert "models.lock.json" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def give(lock: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the status and the words of a run with a lock, on a Hub that does not answer."""
    data = lock.with_name("rows.txt")
    data.write_text("a good film\na bad film\n")
    given = ("--data", str(data), "--lock", str(lock), "--hub", URL, "--sandbox", "process", "--out", str(out))
    return main(["run", SENTENCE, *given]), capsys.readouterr().err


def test_a_run_goes_on_without_the_lock_that_it_was_given(first: Auditioned, cli: Cli, tmp_path: Path) -> None:
    """It stops where its Hub is gone, is resumed without the file, and stops there again: for no other reason."""
    lock = json.loads(first.folder.lock.read_text()) | {"hub": URL}
    for one in lock["specialists"]:
        one["revision"] = "0" * 40
    path, data, out = tmp_path / "models.lock.json", tmp_path / "rows.txt", tmp_path / "out"
    path.write_text(json.dumps(lock))
    data.write_text("a good film\na bad film\n")
    done = cli("run", SENTENCE, "--data", data, "--lock", path, "--hub", URL, "--sandbox", "process", "--out", out)
    assert done.returncode == 5, done.stderr
    path.unlink()
    again = cli("resume", out)
    assert again.returncode == 5, again.stderr
    assert URL in again.stderr


def test_offline_with_nothing_cached_a_run_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "rows.txt"
    data.write_text("a good film\na bad film\n")
    done = cli(
        "run", SENTENCE, "--data", data, "--hub", URL, "--sandbox", "process", "--out", tmp_path / "out",
        HF_HUB_OFFLINE="1", AUTOANNOTATOR_CACHE=str(tmp_path / "cache"), HF_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "HF_HUB_OFFLINE" in done.stderr
    assert "--hub starter" in done.stderr
