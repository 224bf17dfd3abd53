"""The short table at the end of a run."""

from pydantic import Field
from rich.table import Table
from rich.text import Text

from graphs.reporting import gather_report
from records.base import Record
from records.folder import RunFolder


class SpecialistSummary(Record):
    """A specialist and its agreement with the final labels, from 0 to 1; `promoted`: fine-tunes that now vote."""

    name: str
    agreement: float
    promoted: int


class RunSummary(Record):
    """What a run came to. `accuracy` (name → share of right labels) is there only where gold labels are known."""

    run: str
    rows: int
    unlabelled: int
    specialists: tuple[SpecialistSummary, ...]
    reviewed_share: float
    reviewer: str
    fine_tunes_promoted: int
    fine_tunes_rejected: int
    usd: float | None
    requests: int
    cost_note: str
    labels: str
    report: str
    accuracy: dict[str, float] = Field(default_factory=dict)


def summarise_run(folder: RunFolder) -> RunSummary:
    """Return the summary of a finished run."""
    told = gather_report(folder)
    return RunSummary(
        run=told.run_id,
        rows=told.rows,
        unlabelled=told.unlabelled,
        specialists=tuple(
            SpecialistSummary(name=one.name, agreement=one.agreement, promoted=one.version) for one in told.models
        ),
        reviewed_share=told.reviewed / told.rows,
        reviewer=told.controller,
        fine_tunes_promoted=told.promoted,
        fine_tunes_rejected=told.rejected,
        usd=told.cost.usd,
        requests=told.cost.requests,
        cost_note=told.cost.note,
        labels=str(folder.labels),
        report=str(folder.report),
    )


def tabulate_summary(summary: RunSummary) -> Table:
    """Return the summary as a table of two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    unlabelled = f", {summary.unlabelled:,} without a label" if summary.unlabelled else ""
    table.add_row("rows", f"{summary.rows:,}{unlabelled}")
    for one in summary.specialists:
        taught = f", {one.promoted} fine-tune(s) promoted" if one.promoted else ""
        table.add_row("specialist", Text(f"{one.name}: agrees with {one.agreement:.1%} of the labels{taught}"))
    table.add_row("reviewed", Text(f"{summary.reviewed_share:.1%} of the rows, by {summary.reviewer}"))
    tried = summary.fine_tunes_promoted + summary.fine_tunes_rejected
    table.add_row("fine-tuned", f"{tried} models, {summary.fine_tunes_promoted} passed the gate")
    for name, share in summary.accuracy.items():
        table.add_row("accuracy", Text(f"{share:.1%}  {name}"))
    usd = "unknown" if summary.usd is None else f"{summary.usd:.2f} USD"
    table.add_row("cost", Text(f"{usd}, {summary.requests} requests ({summary.cost_note})"))
    table.add_row("labels", Text(summary.labels))
    table.add_row("report", Text(summary.report))
    return table
