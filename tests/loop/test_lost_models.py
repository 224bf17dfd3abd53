"""Models that are gone in the middle of a run, from this disk and from the Hub: each is dropped where it is missed, and
the others go on."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from langgraph.runtime import Runtime

from autoannotator.runner import refuse_to_ask
from autoannotator.wiring import open_context
from graphs.context import RunContext
from graphs.driver import drive
from graphs.gating import gate
from graphs.jobs import read_selections
from graphs.state import RunState
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer
from records.candidate import slug_of
from records.events import CandidateDropped, Event, ProbeLabelled, SpecialistDropped
from records.folder import RunFolder, write_yaml
from records.settings import Settings
from tests.hub.faulty import vanish
from tests.odd_hub import SENTENCES, TWO, Odd, write_odd_hub, write_rows

NAMES = ("negative", "positive")
AT_AUDITION, AT_STAGE, AT_LESSON, AT_GATE, LASTING = (
    f"ann/{name}-sentiment" for name in ("film", "book", "phone", "kettle", "review")
)
MODELS = {
    name: Odd(NAMES, NAMES, mistaken=place)
    for place, name in enumerate((AT_AUDITION, AT_STAGE, AT_LESSON, AT_GATE, LASTING))
}


class LossyHub:
    """A hub of odd models, any of which can be lost and found again."""

    def __init__(self, cache: Path) -> None:
        self.url = ""
        self._cache = cache
        self._gone: set[str] = set()
        self._refuse = vanish("", after=0)

    def intercept(self, request: HubRequest, good: HubResponse) -> HubResponse:
        return self._refuse(request, good) if any(name in request.target for name in self._gone) else good

    def lose(self, name: str) -> None:
        """Take a model from the Hub, from its cache on this disk, and from the models' folders."""
        self._gone.add(name)
        slug = slug_of(name)
        folders = [
            one for kept in (f"hub/models--{slug}", f"models/{slug}") for one in self._cache.glob(f"hubs/*/{kept}")
        ]
        assert len(folders) == 2
        for folder in folders:
            shutil.rmtree(folder)

    def find(self, name: str) -> None:
        """Bring a model back to the Hub."""
        self._gone.remove(name)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Odd]], object]:
    """Serve models."""
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    @contextmanager
    def running(models: dict[str, Odd]) -> Iterator[LossyHub]:
        hub = LossyHub(tmp_path / "cache")
        with HubServer(write_odd_hub(tmp_path / "hub", models), intercept=hub.intercept) as server:
            hub.url = server.url
            yield hub

    return running


@contextmanager
def begin(hub: LossyHub, folder: Path, show: Callable[[Event], None] = lambda event: None) -> Iterator[RunContext]:
    """Yield a new run of two stages over 100 rows, half of them gold, that learns from 8 reviewed rows on."""
    data, gold = write_rows(folder, TWO, 5, gold=0.5)
    settings = Settings(
        task=SENTENCES[TWO], data=str(data), gold=str(gold), hub=hub.url, sandbox="process", models=4, threads=1,
        stage_size=50, pool_size=8, review_share=0.4, vote="soft", worth=0.0, probe_size=40,
    )  # fmt: skip
    run = RunFolder.create(folder / "out")
    write_yaml(run.settings, settings)
    with open_context(run, settings, show) as context:
        yield context


def go(context: RunContext, stop_after: str | None) -> RunState:
    return drive(context, refuse_to_ask, stop_after=stop_after)


def voters(state: RunState) -> set[str]:
    return {slug.replace("--", "/", 1) for slug in state["versions"]}


def test_a_model_that_is_lost_is_dropped_where_it_is_missed_and_the_others_go_on(serve, tmp_path: Path) -> None:
    with serve(MODELS) as hub, begin(hub, tmp_path) as context:
        go(context, "criticise_scripts")
        hub.lose(AT_AUDITION)
        assert voters(go(context, "audition")) == {AT_STAGE, AT_LESSON, AT_GATE, LASTING}
        [dropped] = [event for event in context.folder.read_events() if isinstance(event, CandidateDropped)]
        assert dropped.model == slug_of(AT_AUDITION)
        [noted] = [one for one in read_selections(context.folder) if one.repo_id == AT_AUDITION]
        assert not noted.kept

        hub.lose(AT_STAGE)
        assert voters(go(context, "annotate_stage")) == {AT_LESSON, AT_GATE, LASTING}
        assert go(context, "finish_stage")["pool"] >= 8
        hub.lose(AT_LESSON)
        before = go(context, "fine_tune")
        assert voters(before) == {AT_GATE, LASTING}

        hub.lose(AT_GATE)
        first = gate(before, Runtime(context=context))
        hub.find(AT_GATE)
        assert gate(before, Runtime(context=context)) == first, "a run that is resumed here takes the same way"
        assert voters(go(context, "gate")) == {LASTING}
        go(context, None)

        lost = [event for event in context.folder.read_events() if isinstance(event, SpecialistDropped)]
        assert {(event.model, event.stage) for event in lost} == {
            *((slug_of(AT_STAGE), 0), (slug_of(AT_LESSON), 1), (slug_of(AT_GATE), 1)),
        }
        for event in (*lost, dropped):
            assert "is not on the Hub" in event.reason
            assert "status 404" in event.reason
        labels = pd.read_parquet(context.folder.labels)
    assert labels["label"].notna().all()
    later = labels[(labels["stage"] == 1) & (labels["source"] != "gold")]
    assert {name for votes in later["votes"] for name, vote in votes if vote} == {slug_of(LASTING)}


def test_a_model_that_is_lost_before_its_map_is_corrected_has_no_vote(serve, tmp_path: Path) -> None:
    """It is missed in the middle of the audition: its script was to be tested with the map that the probe found."""
    models = {LASTING: MODELS[LASTING], AT_AUDITION: Odd(NAMES, NAMES[::-1], mistaken=1)}
    with serve(models) as hub:

        def lose_then(event: Event) -> None:
            if isinstance(event, ProbeLabelled):
                hub.lose(AT_AUDITION)

        with begin(hub, tmp_path, lose_then) as context:
            assert voters(go(context, "audition")) == {LASTING}
            [dropped] = [event for event in context.folder.read_events() if isinstance(event, CandidateDropped)]
    assert dropped.model == slug_of(AT_AUDITION)
    assert "is not on the Hub" in dropped.reason
