"""The short summary at the end of a run."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field
from rich.text import Text

from autoannotator.terminal import strip_controls
from graphs.reporting import gather_report
from records.base import Record
from records.folder import RunFolder, read_record
from records.outcome import Certificate
from templates.report import ReportComparison

WIDTH = 13
"""Characters of the first column."""


class SpecialistSummary(Record):
    """A specialist and its agreement with the final labels of the rows it voted on, from 0 to 1.

    `promoted`: how many of its fine-tunes passed the gate; `dropped`: why it votes no more, empty where it does.
    """

    name: str
    agreement: float
    promoted: int
    dropped: str = ""


class RunSummary(Record):
    """What a run came to. `accuracy` (name → share of right labels) is there only where gold labels are known."""

    run: str
    rows: int
    unlabelled: int
    specialists: tuple[SpecialistSummary, ...]
    reviewed_share: float
    reviews_failed: int
    reviews_undecided: int
    """Rows that keep their vote since their review failed, or since the reviewer could not tell."""
    reviewer: str
    fine_tunes_promoted: int
    fine_tunes_rejected: int
    usd: float | None
    requests: int
    cost_note: str
    reserved_usd: float
    """What may have been charged beside `usd`: requests without an answer, or without counted tokens."""
    comparisons: tuple[ReportComparison, ...]
    certificate: str
    """What is stated of all labels; `certificate_status` as in certificate.json, `certificate_reason` why no more."""
    certificate_status: str
    certificate_reason: str
    people: str
    """What people's audit shows of them; empty where there was none."""
    target_error: float | None
    audited: int
    """Rows drawn at random for it; beside them the `widened` riskiest were reviewed, and `answered` rows in all have
    the expert's answer in the end, their copies among them."""
    widened: int
    answered: int
    budget_reached: bool
    labels: str
    report: str
    accuracy: dict[str, float] = Field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """4 where no money was left for the audit; 3 where rows have no label, or the target is not certified."""
        if self.budget_reached:
            return 4
        missed = self.target_error is not None and self.certificate_status != "certified"
        return 3 if self.unlabelled or missed else 0


def summarise_run(folder: RunFolder) -> RunSummary:
    """Return the summary of a finished run."""
    told, certificate = gather_report(folder), read_record(folder.certificate, Certificate)
    return RunSummary(
        run=told.run_id,
        rows=told.rows,
        unlabelled=told.unlabelled,
        specialists=tuple(
            SpecialistSummary(name=one.name, agreement=one.agreement, promoted=one.version, dropped=one.left_because)
            for one in told.models
        ),
        reviewed_share=told.reviewed / told.rows,
        reviews_failed=told.reviews_failed,
        reviews_undecided=told.reviews_undecided,
        reviewer=told.controller,
        fine_tunes_promoted=told.promoted,
        fine_tunes_rejected=told.rejected,
        usd=told.cost.usd,
        requests=told.cost.requests,
        cost_note=told.cost.note,
        reserved_usd=told.cost.reserved_usd,
        comparisons=told.cost.comparisons,
        certificate=certificate.statement,
        certificate_status=certificate.status,
        certificate_reason=certificate.reason,
        people=told.people,
        target_error=certificate.target,
        audited=certificate.audited,
        widened=certificate.widened,
        answered=certificate.reviewed,
        budget_reached=certificate.budget_reached,
        labels=str(folder.labels),
        report=str(folder.report),
    )


def tell_summary(summary: RunSummary) -> list[Text]:
    """Return the summary as lines: a name, and what it came to."""
    unlabelled = f", {summary.unlabelled:,} without a label" if summary.unlabelled else ""
    tried = summary.fine_tunes_promoted + summary.fine_tunes_rejected
    return [
        align("rows", f"{summary.rows:,}{unlabelled}"),
        align("specialists", "\n".join(map(_tell_specialist, summary.specialists))),
        align("reviewed", _tell_reviews(summary)),
        align("fine-tunes", f"{tried} tried, {summary.fine_tunes_promoted} passed the gate"),
        *([align("accuracy", _tell_accuracy(summary.accuracy))] if summary.accuracy else []),
        align("cost", "\n".join(_tell_cost(summary))),
        align("certificate", "\n".join(filter(None, _tell_certificate(summary)))),
        *([align("budget", _tell_budget(summary))] if summary.budget_reached else []),
        align("labels", summary.labels),
        align("report", summary.report),
    ]


def _tell_budget(summary: RunSummary) -> str:
    run = Path(summary.labels).parent
    return f"It did not pay for all that was to be reviewed. With more: autoannotator resume {run} --budget USD"


def _tell_certificate(summary: RunSummary) -> tuple[str, ...]:
    return summary.certificate, summary.certificate_reason, summary.people


def _tell_cost(summary: RunSummary) -> Iterator[str]:
    usd = "unknown" if summary.usd is None else _tell_usd(summary.usd)
    yield f"{usd}, {summary.requests} requests" + (f" ({summary.cost_note})" if summary.cost_note else "")
    if summary.reserved_usd:
        yield f"up to {_tell_usd(summary.reserved_usd)} more may have been charged"
    for one in summary.comparisons:
        cost = f"{one.tokens:,} tokens" if one.usd is None else _tell_usd(one.usd)
        saved = (
            "" if one.saved is None else f": {one.saved:.0%} saved" if one.saved >= 0 else f": {-one.saved:.0%} more"
        )
        yield f"by the language model alone, {one.way}, {cost}{saved}"


def _tell_usd(usd: float) -> str:
    return f"{usd:.{4 if 0 < usd < 0.1 else 2}f} USD"


def _tell_reviews(summary: RunSummary) -> str:
    kept = {"review failed": summary.reviews_failed, "the reviewer cannot tell": summary.reviews_undecided}
    audited = f"; {summary.audited:,} more drawn at random for the audit" if summary.audited else ""
    if summary.widened:
        audited += f", and the {summary.widened:,} riskiest: {summary.answered:,} rows have an answer in the end"
    return "\n".join(
        (
            f"{summary.reviewed_share:.1%} of the rows, by {summary.reviewer}{audited}",
            *(f"{why}: {rows:,} rows keep their vote" for why, rows in kept.items() if rows),
        )
    )


def _tell_specialist(one: SpecialistSummary) -> str:
    taught = f", {one.promoted} fine-tune(s) promoted" if one.promoted else ""
    dropped = f"; dropped: {one.dropped}" if one.dropped else ""
    return f"{one.agreement:6.1%} of the labels are also those of {one.name}{taught}{dropped}"


def _tell_accuracy(accuracy: dict[str, float]) -> str:
    return "\n".join(f"{share:6.1%} {name}" for name, share in accuracy.items())


def align(name: str, value: str) -> Text:
    """Return a name and its value, whose further lines stand below the first."""
    indent = "\n" + " " * WIDTH
    return Text(strip_controls(f"{name:<{WIDTH}}{value}").replace("\n", indent))
