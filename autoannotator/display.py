"""The live display: a line for what has happened, a bar for what is happening."""

from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from autoannotator.terminal import strip_controls
from records.candidate import repo_of
from records.events import (
    Auditioned,
    CandidateDropped,
    CandidatesSelected,
    EnsembleChosen,
    EpochTrained,
    Event,
    Gated,
    HubSearched,
    NodeStarted,
    Noticed,
    RowsReviewed,
    RunStarted,
    SandboxChosen,
    ScriptTested,
    ShardAnnotated,
    StageFinished,
    StageStarted,
    StageVoted,
    TaskResolved,
)

DOING = {
    "analyse_task": "reading the sentence and the file",
    "search_hub": "searching the Hub",
    "select_candidates": "selecting candidates",
    "write_scripts": "downloading models and writing scripts",
    "test_scripts": "testing the scripts on the real models",
    "criticise_scripts": "judging the scripts",
    "repair_scripts": "repairing scripts",
    "audition": "auditioning the candidates on a probe",
    "annotate_stage": "annotating",
    "vote": "voting",
    "review": "reviewing the riskiest rows",
    "spot_check": "spot-checking",
    "fine_tune": "fine-tuning the specialists",
    "gate": "judging the fine-tuned specialists",
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
        elif isinstance(event, ShardAnnotated | EpochTrained):
            self._parts[event.model] = (event.done, event.total)
            done, total = (sum(parts) for parts in zip(*self._parts.values(), strict=True))
            self._progress.update(self._bar, completed=done, total=total)
        elif line := tell(event):
            self.console.print(Text(strip_controls(line)), soft_wrap=True)


def tell(event: Event) -> str:
    """Return an event in one line; empty where it is not worth one."""
    return _tell_preparation(event) or _tell_stage(event)


def _tell_preparation(event: Event) -> str:  # noqa: C901, PLR0911 (one return an event)
    match event:
        case RunStarted():
            return f"{'Resuming' if event.resumed else 'Run'} {event.run_id}"
        case SandboxChosen():
            image = f" (image {event.image.removeprefix('sha256:')[:12]})" if event.image else ""
            return "\n           ".join((f"Sandbox    {event.name}{image}", *event.shortfalls))
        case TaskResolved():
            told = f" (inferred: {', '.join(event.inferred)})" if event.inferred else ""
            columns, labels = ", ".join(event.text_columns), ", ".join(event.labels)
            return f"Task       {event.rows:,} rows · text column {columns} · labels {labels}{told}"
        case HubSearched():
            return f"Hub        {event.found} models found on {event.hub} for: {' · '.join(event.queries)}"
        case CandidatesSelected():
            return f"Shortlist  {', '.join(event.kept)} ({event.dropped} dropped)"
        case ScriptTested():
            return (
                f"Script     {repo_of(event.model)}, attempt {event.attempt}: {event.critic} (sandbox: {event.sandbox})"
            )
        case CandidateDropped():
            return f"Dropped    {repo_of(event.model)}: {event.reason}"
        case Auditioned():
            return f"Audition   {repo_of(event.model)}: {event.reason}"
        case EnsembleChosen():
            return f"Ensemble   {', '.join(map(repo_of, event.models))}"
        case Noticed():
            return f"Note       {event.message}"
        case _:
            return ""


def _tell_stage(event: Event) -> str:
    match event:
        case StageStarted():
            return f"Stage {event.stage + 1}/{event.stages}  {event.rows:,} rows"
        case StageVoted():
            return f"  vote     all agree on {event.unanimous:.0%}"
        case RowsReviewed():
            what = "review" if event.kind == "risk" else "spot check"
            failed = f", {event.failed} failed" if event.failed else ""
            return f"  {what:<8} {event.rows} rows by {event.source}, {event.changed} labels changed{failed}"
        case Gated():
            verdict = "promoted" if event.promoted else "rejected"
            return f"  gate     {repo_of(event.model)} v{event.version} {verdict}: {event.reason}"
        case StageFinished() if event.unlabelled:
            return f"  unlabelled {event.unlabelled}"
        case _:
            return ""
