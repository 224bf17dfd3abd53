"""The live display: a line for what has happened, a bar for what is happening."""

from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from autoannotator.terminal import strip_controls
from graphs.forecast_words import tell_forecast
from graphs.history import describe_decision
from records.candidate import repo_of
from records.events import (
    Auditioned,
    AuditLooked,
    CandidateDropped,
    CandidatesSelected,
    Certified,
    DownloadsPlanned,
    EndpointApproved,
    EndpointPaused,
    EnsembleChosen,
    EpochTrained,
    Event,
    Forecasted,
    Gated,
    HubSearched,
    ModelDownloading,
    NodeStarted,
    Noticed,
    ProbeLabelled,
    RowsReviewed,
    RunStarted,
    SandboxChosen,
    ScriptTested,
    ShardAnnotated,
    SpecialistDropped,
    StageCriticised,
    StageFinished,
    StageStarted,
    StageVoted,
    TaskResolved,
)
from templates.report import format_dollars

DOING = {
    "analyse_task": "reading the sentence and the file",
    "search_hub": "searching the Hub",
    "select_candidates": "selecting candidates",
    "download_models": "downloading the models",
    "write_scripts": "writing scripts",
    "test_scripts": "testing the scripts on the real models",
    "criticise_scripts": "judging the scripts",
    "repair_scripts": "repairing scripts",
    "audition": "auditioning the candidates on a probe",
    "estimate": "forecasting what the run will take",
    "annotate_stage": "annotating",
    "vote": "voting",
    "review": "reviewing the riskiest rows",
    "spot_check": "spot-checking",
    "criticise_stage": "judging the stage by its figures",
    "relabel": "reviewing rows between two labels",
    "finish_stage": "counting the reviewed rows",
    "fine_tune": "fine-tuning the specialists",
    "gate": "judging the fine-tuned specialists",
    "audit": "auditing the labels",
    "certify": "stating what is certified",
    "report": "writing the report",
}


class Display:
    """Shows events on a console; where that is no terminal, plain lines without the bar."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("starting", total=None)
        self._parts: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def paused(self) -> Generator[None]:
        """Leave the terminal to a question."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def take(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, NodeStarted):
            self._parts.clear()
            self._progress.update(self._bar, description=DOING[event.node], total=None, completed=0)
        elif isinstance(event, ShardAnnotated | EpochTrained | ModelDownloading):
            self._parts[event.model] = (event.done, event.total)
            done, total = (sum(parts) for parts in zip(*self._parts.values(), strict=True))
            self._progress.update(self._bar, completed=done, total=total)
        elif line := tell(event):
            self.console.print(Text(strip_controls(line)), soft_wrap=True)


def tell(event: Event) -> str:
    """Return an event in one line; empty where it is not worth one."""
    telling = (_tell_endpoint, _tell_surroundings, _tell_preparation, _tell_forecast, _tell_stage)
    return next(filter(None, (tell_part(event) for tell_part in telling)), "")


def _tell_endpoint(event: Event) -> str:
    match event:
        case EndpointApproved():
            return f"Model      {event.model} at {event.host} may see up to {event.rows:,} rows"
        case EndpointPaused():
            return f"Paused     {event.seconds:.0f} s: {event.host} {event.reason}"
        case _:
            return ""


def _tell_forecast(event: Event) -> str:
    match event:
        case Forecasted():
            left = "" if event.budget_left is None else f"; {format_dollars(event.budget_left)} of the budget are left"
            return "Forecast   " + "\n           ".join(tell_forecast(event.forecast)) + left
        case _:
            return ""


def _tell_surroundings(event: Event) -> str:
    match event:
        case RunStarted():
            return f"{'Resuming' if event.resumed else 'Run'} {event.run_id}"
        case SandboxChosen():
            image = f" (image {event.image.removeprefix('sha256:')[:12]})" if event.image else ""
            return "\n           ".join((f"Sandbox    {event.name}{image}", *event.shortfalls))
        case EndpointApproved():
            return f"Endpoint   {event.model} at {event.host} may see up to {event.rows:,} rows"
        case EndpointPaused():
            return f"Waiting    {event.seconds:,.0f} s for {event.host}: {event.reason}"
        case Noticed():
            return f"Note       {event.message}"
        case _:
            return ""


def _tell_preparation(event: Event) -> str:  # noqa: PLR0911 (one return an event)
    match event:
        case TaskResolved():
            told = f" (inferred: {', '.join(event.inferred)})" if event.inferred else ""
            texts, labels = " and ".join(event.text_columns), ", ".join(event.labels)
            column = "text column" if len(event.text_columns) == 1 else "joined text columns"
            columns = f"pairs of {texts}" if event.kind == "text_pair" else f"{column} {texts}"
            return f"Task       {event.rows:,} rows · {columns} · labels {labels}{told}"
        case HubSearched():
            asked = f" with {event.requests} requests for: {' · '.join(event.queries)}" if event.queries else ""
            return f"Hub        {event.found} models found on {event.hub}{asked}"
        case CandidatesSelected():
            return f"Shortlist  {', '.join(event.kept)} ({event.dropped} dropped)"
        case ScriptTested():
            attempt = f"attempt {event.attempt}{', the unmodified template' if event.fallback else ''}"
            return f"Script     {repo_of(event.model)}, {attempt}: {event.critic} (sandbox: {event.sandbox})"
        case CandidateDropped():
            return f"Dropped    {repo_of(event.model)}: {event.reason}"
        case Auditioned():
            read = "" if event.label_map == "verified" else f", label map {event.label_map}"
            return f"Audition   {repo_of(event.model)}: {event.reason}{read}"
        case DownloadsPlanned():
            return f"Download   {event.models} models, {_size(event.missing)} of {_size(event.size)} to fetch"
        case ProbeLabelled():
            lost = f", {event.unlabelled} without an answer" if event.unlabelled else ""
            by = {"llm": "the language model", "consensus": "the candidates' own consensus", "gold": "gold rows"}
            return f"Probe      {event.rows} rows, labels from {by.get(event.truth, event.truth)}{lost}"
        case EnsembleChosen():
            return f"Ensemble   {', '.join(map(repo_of, event.models))}: {event.reason}"
        case _:
            return ""


def _size(count: int) -> str:
    """Return bytes in words."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _tell_stage(event: Event) -> str:  # noqa: PLR0911 (one return an event)
    match event:
        case StageStarted():
            return f"Stage {event.stage + 1}/{event.stages}  {event.rows:,} rows"
        case StageVoted():
            return f"  vote     all agree on {event.unanimous:.0%}"
        case RowsReviewed():
            what = {"risk": "review", "spot_check": "spot check", "relabel": "relabel"}[event.kind]
            undecided = f", {event.undecided} undecided" if event.undecided else ""
            failed = f", {event.failed} failed" if event.failed else ""
            changed = f"{event.changed} unlike the vote"
            return f"  {what:<8} {event.rows} rows by {event.source}, {changed}{undecided}{failed}"
        case StageCriticised():
            done = "" if event.applied else f" (not done: {event.note})"
            return f"  critic   {describe_decision(event)}{done}: {event.reason}"
        case SpecialistDropped():
            return f"Dropped    {repo_of(event.model)} from stage {event.stage + 1} on: {event.reason}"
        case Gated():
            verdict = "promoted" if event.promoted else "rejected"
            return f"  gate     {repo_of(event.model)} v{event.version} {verdict}: {event.reason}"
        case AuditLooked():
            widened = f", the {event.widened:,} riskiest reviewed" if event.widened else ""
            lost = f", {event.unanswered:,} without an answer" if event.unanswered else ""
            return f"Audit      {event.drawn:,} rows drawn, {event.differing:,} differ{lost}{widened}"
        case Certified():
            heading = {"certified": "Certified", "bound": "Bound"}.get(event.status, "")
            return f"{heading:<11}{event.statement}" + (f"\nPeople     {event.people}" if event.people else "")
        case StageFinished() if event.unlabelled:
            return f"  unlabelled {event.unlabelled}"
        case _:
            return ""
