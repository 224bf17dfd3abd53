"""`autoannotator hub search`: which models a run would try for a task, and why the others are left out."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from agents.base import ColumnSample, TaskRequest
from agents.sentence import read_labels
from agents.target import Terms
from agents.team import make_team
from agents.two_texts import asks_about_pairs
from autoannotator.commands import Outcome
from autoannotator.hubs import open_hub
from autoannotator.settings import resolve_settings
from autoannotator.terminal import strip_controls
from records.candidate import Candidate, Crawl, Selection
from records.ledger import Ledger
from records.settings import Settings
from records.task import TaskSpec

OPTIONS = (
    *("llm", "hub", "labels", "max_params", "licence", "language"),
    *("shortlist", "select_threshold", "hub_requests"),
)
SHOWN_DROPPED = 20
"""How many of the models that are left out the table shows; --json has them all."""


def search(options: argparse.Namespace) -> Outcome:
    """Search a Hub for a task as a run would."""
    given = {name: getattr(options, name) for name in OPTIONS}
    settings = resolve_settings({**given, "task": options.task, "data": ""})  # a search needs no data
    filters = settings.filters
    console = Console(stderr=True)

    def announce(message: str) -> None:
        console.print(Text(strip_controls(message)), soft_wrap=True)

    def tell_pause(seconds: float, reason: str) -> None:
        announce(f"Waiting {seconds:,.0f} s: {reason}")

    with tempfile.TemporaryDirectory() as folder, open_hub(settings.hub, announce, tell_pause) as client:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        try:
            team = make_team(
                settings.llm, ledger, terms=_make_terms(settings), select_threshold=settings.select_threshold,
                tell=tell_pause,
            )  # fmt: skip
            task = team.analyst.analyse(_make_request(settings))
            announce(f"Searching {settings.hub or client.endpoint} ({team.description}) for: {_tell_task(task)}")
            crawl = team.crawler.crawl(task, client, filters, settings.hub_requests)
            selections = team.selector.select(task, crawl.candidates, settings.shortlist, filters)
        finally:
            ledger.close()
    return Outcome(show(crawl, selections), describe(task, crawl, selections))


def _make_terms(settings: Settings) -> Terms:
    return Terms(concurrency=settings.llm_concurrency, timeout=settings.llm_timeout, patience=settings.llm_patience)


def _make_request(settings: Settings) -> TaskRequest:
    """Return what the analyst starts from where there is no file: a column of texts, for pairs two, of which none is
    known."""
    is_pair = asks_about_pairs(settings.labels or read_labels(settings.task), settings.task)
    names = ("text", "text_pair") if is_pair else ("text",)
    columns = tuple(ColumnSample(name=name, type="string", is_text=True, values=()) for name in names)
    return TaskRequest(sentence=settings.task, labels=settings.labels, text_columns=names, columns=columns)


def _tell_task(task: TaskSpec) -> str:
    return f"{task.family} · labels {', '.join(task.label_names)} · language {task.language}"


def show(crawl: Crawl, selections: Sequence[Selection]) -> list[RenderableType]:
    """Return two lines a model, the best first, and a line on what was done."""
    by_name = {one.repo_id: one for one in crawl.candidates}
    kept = sum(one.kept for one in selections)
    shown = selections[: kept + SHOWN_DROPPED]
    lines = [f"{'':4}{'score':>5}  {'parameters':>10}  {'downloads':>11}  model"]
    for place, selection in enumerate(shown, 1):
        lines += _write_lines(place, by_name[selection.repo_id], selection)
    hidden = f" · {len(selections) - len(shown)} more are listed with --json" if len(shown) < len(selections) else ""
    end = crawl.steps[-1].reason if crawl.steps else ""
    lines.append(f"{len(selections)} models seen with {crawl.requests} requests ({end}) · {kept} kept{hidden}")
    return [Text(strip_controls(line)) for line in lines]


def _write_lines(place: int, candidate: Candidate, selection: Selection) -> tuple[str, str]:
    size = f"{candidate.parameters / 1e6:,.1f} M" if candidate.parameters else "?"
    languages = ", ".join(candidate.languages[:3]) + (" …" if len(candidate.languages) > 3 else "")
    facts = " · ".join(filter(None, (languages, candidate.licence[:30])))
    verdict = "kept: " if selection.kept else "" if selection.reason.startswith("dropped") else "not kept: "
    return (
        f"{place:>3} {selection.score:5.2f}  {size:>10}  {candidate.downloads:>11,}  {candidate.repo_id} ({facts})",
        f"{'':11}{verdict}{selection.reason}",
    )


def describe(task: TaskSpec, crawl: Crawl, selections: Sequence[Selection]) -> dict[str, Any]:
    """Return the same as plain JSON, with every model and every step."""
    by_name = {one.repo_id: one for one in crawl.candidates}
    facts = ("parameters", "languages", "licence", "downloads", "likes", "datasets", "base_model", "closed", "read")
    models = [
        {
            **selection.model_dump(mode="json"),
            **{name: getattr(by_name[selection.repo_id], name) for name in facts},
        }
        for selection in selections
    ]
    return {
        "task": task.model_dump(mode="json"),
        "requests": crawl.requests,
        "models": models,
        "steps": [step.model_dump(mode="json") for step in crawl.steps],
    }
