"""What becomes of a shortlist of which a model cannot be had: the next best takes its place, or the Hub is at fault."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langgraph.runtime import Runtime
from safetensors.numpy import save_file

from autoannotator.command_line import main
from autoannotator.wiring import open_context
from graphs import fetching, preparing
from graphs.jobs import read_selections
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer, ServedRequest
from records.errors import HubUnreachableError, InfrastructureError
from records.events import CandidateDropped
from records.folder import RunFolder, write_json, write_yaml
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from tests.conftest import SENTENCE, Cli
from tests.hub.faulty import Intercept, break_after, in_turn, vanish, wrong_content
from tests.tiny_hub import build_tiny_hub, make_sentences

NAMES = ("a-sentiment", "b-sentiment", "c-sentiment", "d-sentiment")
WEIGHTS = "model.safetensors"
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
tags: [sentiment-analysis]
---
A sentiment classifier.
"""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Four models that are alike to the selector but for their downloads: in the order of their names."""
    for seed, name in enumerate(NAMES):
        folder = tmp_path / "hub/ann" / name
        folder.mkdir(parents=True)
        config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "negative", "1": "positive"}}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "README.md").write_text(CARD)
        (folder / "tokenizer.json").write_text("{}")
        save_file({"a": np.full((100,), seed, np.float32)}, folder / WEIGHTS)
    facts = {f"ann/{name}": {"downloads": 10 ** (7 - place)} for place, name in enumerate(NAMES)}
    (tmp_path / "hub/hub.json").write_text(json.dumps({"models": facts}))
    return tmp_path / "hub"


class Shortlist:
    """A run that has selected its candidates: `download` does the next node, as often as the run is resumed."""

    def __init__(self, hub: str, out: Path, shortlist: int) -> None:
        self.folder = RunFolder.create(out)
        self.settings = Settings(task=SENTENCE, data="rows", hub=hub, sandbox="process", shortlist=shortlist)
        labels = (LabelSpec(name="positive"), LabelSpec(name="negative"))
        write_yaml(self.folder.task, TaskSpec(sentence=SENTENCE, labels=labels, text_columns=("text",)))
        self.state: Any = {}
        with open_context(self.folder, self.settings, lambda event: None) as context:
            client = context.open_hub()
            found = [one for one in map(client.read, client.search("sentiment", 10)) if one is not None]
            write_json(self.folder.hub / "candidates.json", [one.model_dump(mode="json") for one in found])
            preparing.select_candidates(self.state, Runtime(context=context))

    def download(self) -> list[str]:
        """Return the names of the models that are tried."""
        with open_context(self.folder, self.settings, lambda event: None) as context:
            update = fetching.download_models(self.state, Runtime(context=context))
        return [slug.removeprefix("ann--") for slug in update["scripts"]]

    @property
    def selections(self) -> bytes:
        return (self.folder.hub / "selection.json").read_bytes()


def refuse(status: int) -> Callable[[str], Intercept]:
    """The Hub answers so, every time, and says that it may be asked again at once."""

    def intercept(request: HubRequest, good: HubResponse) -> HubResponse:
        body = b'{"error": "not for you"}'
        headers = {"Content-Type": "application/json", "Retry-After": "0"}
        return HubResponse(status, headers, len(body), [body])

    return lambda where: lambda request, good: intercept(request, good) if where in request.target else good


def present(faults: list[Intercept]) -> Intercept:
    """Make those faults that are in the list at the time."""

    def intercept(request: HubRequest, good: HubResponse) -> HubResponse:
        return in_turn(*faults)(request, good)

    return intercept


def of(names: str, fault: Callable[[str], Intercept], where: str = WEIGHTS) -> Intercept:
    """Make a fault for the requests of some models (a regular expression) only."""
    faulty = fault(where)
    return lambda request, good: faulty(request, good) if re.search(f"/({names})-sentiment/", request.target) else good


FAULTS: dict[str, tuple[Callable[[str], Intercept], str]] = {
    "another hash": (wrong_content, "came 2 times with the hash"),
    "refused": (refuse(403), "status 403"),
    "not there": (refuse(404), "status 404"),
    "an error of the Hub's": (refuse(500), "status 500"),
    "never whole": (lambda where: break_after(where, 0), "cannot be had"),
    "the commit is gone": (lambda where: vanish(where, after=0, code="RevisionNotFound"), "any more (status 404"),
    "the repository is gone": (lambda where: vanish(where, after=0), "any more (status 404"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_next_best_takes_the_place_of_a_model_that_cannot_be_had(name: str, hub: Path, tmp_path: Path) -> None:
    fault, said = FAULTS[name]
    with HubServer(hub, intercept=of("a", fault)) as server:
        run = Shortlist(server.url, tmp_path / "out", 2)
        assert run.download() == ["b-sentiment", "c-sentiment"]
    first, second, third, fourth = read_selections(run.folder)
    assert [one.kept for one in (first, second, third, fourth)] == [False, True, True, False]
    assert third.reason.startswith("in the place of ann/a-sentiment: labels 2 of 2")
    assert fourth.spare
    (told,) = [event for event in run.folder.read_events() if isinstance(event, CandidateDropped)]
    assert told.model == "ann--a-sentiment"
    assert first.reason == f"dropped: {told.reason}"
    for words in (said, WEIGHTS, "ann/a-sentiment"):
        assert words in told.reason


def test_what_was_left_out_stays_so_when_the_run_is_resumed(hub: Path, tmp_path: Path) -> None:
    """The Hub is well again at the second time, and the run must take the way that it took at first."""
    served: list[ServedRequest] = []
    faults = [of("a|b", refuse(500))]
    with HubServer(hub, intercept=present(faults), on_request=served.append) as server:
        run = Shortlist(server.url, tmp_path / "out", 2)
        assert run.download() == ["c-sentiment", "d-sentiment"]
        noted = run.selections
        faults.clear()
        served.clear()
        assert run.download() == ["c-sentiment", "d-sentiment"]
    assert served == []
    assert run.selections == noted


@pytest.mark.parametrize(
    ("refused", "tried"),
    [
        ("never", ["a-sentiment", "b-sentiment"]),
        ("b", ["a-sentiment", "c-sentiment"]),
        ("a", ["b-sentiment", "bob--again-sentiment"]),
        ("a|again", ["b-sentiment", "bob--thrice-sentiment"]),
        ("a|again|thrice", ["b-sentiment", "c-sentiment"]),
    ],
)
def test_a_copy_takes_the_place_of_its_original_and_of_no_other(
    refused: str, tried: list[str], hub: Path, tmp_path: Path
) -> None:
    for name in ("again", "thrice"):
        shutil.copytree(hub / "ann/a-sentiment", hub / f"bob/{name}-sentiment")
    with HubServer(hub, intercept=of(refused, refuse(403))) as server:
        run = Shortlist(server.url, tmp_path / "out", 2)
        chosen = {one.repo_id: one for one in read_selections(run.folder)}
        assert [chosen[f"bob/{name}-sentiment"].copy_of for name in ("again", "thrice")] == ["ann/a-sentiment"] * 2
        assert sorted(run.download()) == tried
        noted = run.selections
        assert sorted(run.download()) == tried
        assert run.selections == noted
    later = {one.repo_id: one for one in read_selections(run.folder)}
    for name in set(tried) - set(NAMES):
        copy = later[name.replace("--", "/")]
        assert copy.score == chosen["ann/a-sentiment"].score > 0
        assert "with the same weights: " in copy.reason
    assert sum(one.kept for one in later.values()) == 2


@pytest.mark.parametrize(("shortlist", "tried"), [(1, "d"), (3, "d"), (4, "d")])
def test_the_places_are_filled_as_far_as_there_are_models(
    shortlist: int, tried: str, hub: Path, tmp_path: Path
) -> None:
    with HubServer(hub, intercept=of("a|b|c", refuse(403))) as server:
        assert Shortlist(server.url, tmp_path / "out", shortlist).download() == [f"{tried}-sentiment"]


@pytest.mark.parametrize("status", [403, 404, 500, 429])
def test_a_hub_that_has_no_file_at_all_leaves_no_model_out(status: int, hub: Path, tmp_path: Path) -> None:
    faults = [of(".*", refuse(status))]
    with HubServer(hub, intercept=present(faults)) as server:
        run = Shortlist(server.url, tmp_path / "out", 2)
        noted = run.selections
        with pytest.raises(InfrastructureError, match=f"status {status}") as caught:
            run.download()
        assert server.url in caught.value.what
        assert run.selections == noted
        faults.clear()
        assert run.download() == ["a-sentiment", "b-sentiment"]


def test_a_hub_that_is_gone_leaves_no_model_out(hub: Path, tmp_path: Path) -> None:
    with HubServer(hub) as server:
        run = Shortlist(server.url, tmp_path / "out", 2)
        noted = run.selections
    run.settings = run.settings.model_copy(update={"hub": "http://127.0.0.1:9"})
    with pytest.raises(HubUnreachableError, match="refused"):
        run.download()
    assert run.selections == noted


def test_one_configuration_that_cannot_be_read_is_one_model_less(hub: Path, tmp_path: Path) -> None:
    with HubServer(hub, intercept=of("a|b", refuse(500), "config.json")) as server:
        assert Shortlist(server.url, tmp_path / "out", 4).download() == ["c-sentiment", "d-sentiment"]
    with (
        HubServer(hub, intercept=of(".*", refuse(500), "config.json")) as server,
        pytest.raises(HubUnreachableError, match="status 500"),
    ):
        Shortlist(server.url, tmp_path / "another", 4)


def run_tiny(cli: Cli, url: str, out: Path, *options: str | Path) -> tuple[int, str]:
    """Return the status and the words of a run over few rows."""
    data = out.with_name("rows.txt")
    data.write_text("\n".join(text for text, _ in make_sentences(40, seed=4)), encoding="utf-8")
    done = cli(
        "run", SENTENCE, "--data", data, "--hub", url, "--sandbox", "process", "--models", "2", "--no-learning",
        "--stage-size", "20", "--out", out, *options,
        AUTOANNOTATOR_CACHE=str(out.with_name("run-cache")), HF_HOME=str(out.with_name("run-home")),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_run_ends_well_without_the_model_that_cannot_be_had(cli: Cli, tmp_path: Path) -> None:
    hub = build_tiny_hub(tmp_path / "tiny-hub")
    with HubServer(hub, intercept=of("film", wrong_content)) as server:
        bounds = ("--shortlist", "2", "--select-threshold", "0.1", "--hub-requests", "40")
        status, printed = run_tiny(cli, server.url, tmp_path / "out", *bounds)
        assert status == 0, printed
        assert re.search(
            r"Dropped\s+tiny/film-sentiment: model.safetensors of tiny/film-sentiment came 2 times", printed
        )
        report = (tmp_path / "out/report.html").read_text(encoding="utf-8")
        assert report.count("model.safetensors of tiny/film-sentiment came 2 times") == 1
    settings = (tmp_path / "out/settings.yaml").read_text(encoding="utf-8")
    for line in ("shortlist: 2", "select_threshold: 0.1", "hub_requests: 40"):
        assert line in settings
    lock = json.loads((tmp_path / "out/models.lock.json").read_text())
    assert {one["repo_id"] for one in lock["specialists"]} == {"tiny/product-sentiment", "tiny/review-sentiment"}

    shutil.rmtree(tmp_path / "run-cache")
    with HubServer(hub, intercept=of("product", refuse(403))) as server:
        given = tmp_path / "models.lock.json"
        given.write_text(json.dumps(lock | {"hub": server.url}))
        status, printed = run_tiny(cli, server.url, tmp_path / "locked", "--lock", given)
    assert status == 5, printed
    assert f"{given} pins a model that cannot be had as it is pinned: {WEIGHTS} of tiny/product-sentiment" in printed
    assert "status 403" in printed


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--shortlist", "0", "greater than or equal to 1"),
        ("--shortlist", "many", "invalid int value: 'many'"),
        ("--select-threshold", "1.5", "less than or equal to 1"),
        ("--select-threshold", "nan", "--select-threshold"),
        ("--hub-requests", "3", "greater than or equal to 4"),
    ],
)
def test_a_bad_bound_of_the_search_is_named(
    option: str, value: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["run", SENTENCE, "--data", str(tmp_path / "rows.txt"), "--out", str(tmp_path / "out"), option, value]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert option in error
    assert said in error
    assert not (tmp_path / "out").exists()
