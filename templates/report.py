"""What the report shows: plain figures and texts, gathered by whoever runs the machine, and their wording."""

from pydantic import Field

from records.base import Record
from records.candidate import MapStatus

HARDEST_ROWS = 10
SHOWN_CHARACTERS = 320


class LabelCount(Record):
    """How many rows got a label."""

    label: str
    rows: int


class ReportModel(Record):
    """A specialist that voted. `agreement` is its agreement with the final labels of the rows it voted on, 0 to 1."""

    name: str
    revision: str
    parameters: int | None
    licence: str
    reason: str
    """Why it was chosen."""
    audition: str
    """What its audition found, by its label map too."""
    label_map: MapStatus
    cost: str
    """What it costs on a row, in words."""
    agreement: float
    version: int
    """How many of its fine-tunes were promoted in this run."""
    left_at: int | None = None
    """The stage from which on it voted no more, where it was dropped."""
    left_because: str = ""


class ReportSearch(Record):
    """How the models were found: how many were seen with how many requests, how many were auditioned, on how many
    rows, and where the labels of those came from, in words; `reason` is why the ensemble was chosen."""

    seen: int
    requests: int
    auditioned: int
    rows: int
    truth: str
    reason: str
    reviewed: int = 0
    """Rows that a reviewer was asked about before the first stage: these, or gold rows."""


class DroppedModel(Record):
    """A candidate that does not vote, and why."""

    name: str
    reason: str


class ReportStage(Record):
    """One stage. `unanimous` is the share of its rows on which all specialists agree, from 0 to 1."""

    stage: int
    rows: int
    unanimous: float
    reviewed: int
    """Rows reviewed for their risk; like the two after it, those that got a label."""
    spot_checked: int
    relabelled: int = 0
    """Rows reviewed since the result critic asked for it."""
    undecided: int = 0
    """Rows of which the reviewer said that it cannot tell."""
    failed: int = 0
    """Rows whose review failed."""
    changed: int
    """Rows whose label a review changed."""
    promoted: int
    rejected: int
    """Fine-tunes that the gate let through, and that it did not."""

    @property
    def all_reviewed(self) -> int:
        return self.reviewed + self.spot_checked + self.relabelled


class ReportDecision(Record):
    """What the result critic decided after a stage; `applied` is False where it may not decide that, as `note` says."""

    stage: int
    decision: str
    evidence: dict[str, float]
    """The figures that speak for it, by their name."""
    reason: str
    applied: bool
    note: str


class ReportComparison(Record):
    """What another way to label all rows would have cost, and the share of it that the run saved (below 0: it took
    more; None: not known). `usd` is None where the price is not known."""

    way: str
    tokens: int
    usd: float | None
    saved: float | None


class ReportCost(Record):
    """What the language model cost. `usd` is None where the price is not known; `note` then says why.

    Tokens are None where the endpoint did not count them. `reserved_usd` may have been charged beside `usd`.
    """

    requests: int
    prompt_tokens: int | None
    completion_tokens: int | None
    usd: float | None
    reserved_usd: float = 0.0
    note: str = ""
    comparisons: tuple[ReportComparison, ...] = ()
    no_comparison: str = ""
    """Why there are none, where that is known."""


class ReportForecastLine(Record):
    """A figure of the forecast with its range, and what it came to, in words."""

    name: str
    forecast: str
    actual: str


class ReportForecast(Record):
    """The forecast beside what the run came to; `note` says what its ranges are and what it does not hold."""

    lines: tuple[ReportForecastLine, ...]
    note: str


class HardRow(Record):
    """A row that was hard to label. `votes`: specialist → label; `risk`: estimated error before review, 0 to 1."""

    id: str
    text: str
    text_pair: str | None = None
    label: str | None
    source: str
    risk: float
    votes: dict[str, str]
    reason: str = ""


class ReportFile(Record):
    """A file of the run folder (its path relative to that folder), and what is in it."""

    path: str
    content: str


class ReportData(Record):
    """Everything on the page. Texts may come from strangers: the template escapes every one."""

    run_id: str
    created: str
    """When the report was made, in words a person reads."""
    sentence: str
    labels: tuple[str, ...]
    text_columns: tuple[str, ...]
    data: str
    """The name of the data file."""
    controller: str
    """Who selects, writes and reviews, in words; shown where there is a language model."""
    language_model: bool
    hub: str
    sandbox: str
    rows: int
    unlabelled: int
    reviews_failed: int = 0
    reviews_undecided: int = 0
    """Rows that keep their vote since their review failed, or since the reviewer could not tell."""
    label_counts: tuple[LabelCount, ...]
    search: ReportSearch
    models: tuple[ReportModel, ...]
    dropped: tuple[DroppedModel, ...]
    stages: tuple[ReportStage, ...]
    decisions: tuple[ReportDecision, ...] = ()
    cost: ReportCost
    forecast: ReportForecast | None = None
    """None in a run of an earlier version."""
    certificate: str
    """What is stated of all labels, in a sentence."""
    certificate_reason: str
    certificate_facts: dict[str, str] = Field(default_factory=dict)
    """What it rests on: name → figure, in words."""
    people: str = ""
    """What people's audit shows of all labels, in a sentence; empty where there was none."""
    people_facts: dict[str, str] = Field(default_factory=dict)
    hardest: tuple[HardRow, ...] = Field(max_length=HARDEST_ROWS)
    notices: tuple[str, ...]
    settings: dict[str, str]
    folder: str
    files: tuple[ReportFile, ...]

    @property
    def unanimous(self) -> float:
        """The share of all rows on which all specialists agreed, from 0 to 1."""
        rows = sum(stage.rows for stage in self.stages)
        return sum(stage.unanimous * stage.rows for stage in self.stages) / rows if rows else 0.0

    @property
    def reviewed(self) -> int:
        """Rows that the run had reviewed for its labels: the probe's, and every stage's. The audit's come on top."""
        return self.search.reviewed + sum(stage.all_reviewed for stage in self.stages)

    @property
    def relabelled(self) -> int:
        return sum(stage.relabelled for stage in self.stages)

    @property
    def changed(self) -> int:
        return sum(stage.changed for stage in self.stages)

    @property
    def promoted(self) -> int:
        return sum(stage.promoted for stage in self.stages)

    @property
    def rejected(self) -> int:
        return sum(stage.rejected for stage in self.stages)


class StagePoint(Record):
    """A stage on the chart: `x` and the two shares in percent of the chart's width and height."""

    stage: ReportStage
    x: float
    unanimous: float
    reviewed: float


def plot_stages(stages: tuple[ReportStage, ...]) -> tuple[StagePoint, ...]:
    """Return the chart's points, each stage in the middle of its own column."""
    width = 100 / max(1, len(stages))
    return tuple(
        StagePoint(
            stage=stage,
            x=round((position + 0.5) * width, 3),
            unanimous=round(100 * stage.unanimous, 2),
            reviewed=round(100 * stage.all_reviewed / max(1, stage.rows), 2),
        )
        for position, stage in enumerate(stages)
    )


def format_percent(share: float) -> str:
    """Return a share (0 to 1) in percent: "87 %", with a decimal below 10 % ("3.4 %"), and "<0.1 %" for a trace."""
    percent = 100 * share
    if 0 < percent < 0.05:
        return "<0.1\N{NO-BREAK SPACE}%"
    digits = 1 if 0 < percent < 10 else 0
    return f"{percent:.{digits}f}\N{NO-BREAK SPACE}%"


def format_count(number: int) -> str:
    """Return a whole number with its thousands set apart: "12,345"."""
    return f"{number:,}"


def format_parameters(number: int | None) -> str:
    """Return a model's size in words: "22.7 M parameters"."""
    if number is None:
        return "size unknown"
    value, unit = (number / 1e9, "B") if number >= 1e9 else (number / 1e6, "M")
    return f"{value:.1f} {unit} parameters"


def format_dollars(usd: float) -> str:
    """Return a sum in US dollars: "$1.25", with four decimals below ten cents ("$0.0132")."""
    return f"${usd:,.{4 if 0 < usd < 0.1 else 2}f}"


def shorten(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the text in one line, cut to `limit` characters with an ellipsis where it was longer."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1].rstrip() + "…"
