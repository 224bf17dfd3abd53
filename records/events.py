"""Typed events. The terminal, the page and the report are drawn from these."""

import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from records.base import Record
from records.candidate import MapStatus
from records.outcome import Forecast
from records.task import Kind


def now() -> str:
    """Return this instant in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class EventBase(Record):
    time: str = Field(default_factory=now)


class RunStarted(EventBase):
    type: Literal["run_started"] = "run_started"
    run_id: str
    resumed: bool = False


class SandboxChosen(EventBase):
    """Where scripts run from here on; `image` is the digest of Docker's, `shortfalls` what is not held there."""

    type: Literal["sandbox_chosen"] = "sandbox_chosen"
    name: str
    image: str = ""
    runtime: str | None = None
    shortfalls: tuple[str, ...] = ()


class EndpointApproved(EventBase):
    """The person lets a language model at another machine see their data: at most `rows` rows of it."""

    type: Literal["endpoint_approved"] = "endpoint_approved"
    host: str
    model: str
    rows: int


class EndpointPaused(EventBase):
    """An endpoint that has answered before fails; nothing is sent to it for `seconds`."""

    type: Literal["endpoint_paused"] = "endpoint_paused"
    host: str
    seconds: float
    reason: str


class NodeStarted(EventBase):
    """A node of the graph begins; `stage` is the stage it works on, where there is one."""

    type: Literal["node_started"] = "node_started"
    node: str
    stage: int | None = None


class TaskResolved(EventBase):
    type: Literal["task_resolved"] = "task_resolved"
    rows: int
    labels: tuple[str, ...]
    text_columns: tuple[str, ...]
    kind: Kind = "single_label"
    inferred: tuple[str, ...]


class HubSearched(EventBase):
    type: Literal["hub_searched"] = "hub_searched"
    hub: str
    queries: tuple[str, ...]
    found: int
    requests: int = 0
    """To the Hub, for all of the search."""


class CandidatesSelected(EventBase):
    type: Literal["candidates_selected"] = "candidates_selected"
    kept: tuple[str, ...]
    dropped: int


class ScriptTested(EventBase):
    """How an attempt at a model's scripts did; `fallback`: it is the unmodified template, after repairs failed."""

    type: Literal["script_tested"] = "script_tested"
    model: str
    attempt: int
    fallback: bool = False
    passed: bool
    critic: str
    sandbox: str


class CandidateDropped(EventBase):
    type: Literal["candidate_dropped"] = "candidate_dropped"
    model: str
    reason: str


class DownloadsPlanned(EventBase):
    """What is to be downloaded from here on, before the first byte: `size` bytes of `models` models, of which `missing`
    are not on this disk yet."""

    type: Literal["downloads_planned"] = "downloads_planned"
    models: int
    size: int
    missing: int


class ModelDownloading(EventBase):
    """So many bytes of a model are on this disk; told now and then, and not written down."""

    type: Literal["model_downloading"] = "model_downloading"
    model: str
    done: int
    total: int


class ProbeLabelled(EventBase):
    """The rows that the candidates are auditioned on have labels: from gold rows, from a reviewer, or, `truth` being
    consensus, none better than the candidates' own vote."""

    type: Literal["probe_labelled"] = "probe_labelled"
    rows: int
    truth: Literal["gold", "human", "llm", "consensus"]
    unlabelled: int = 0
    """Rows of which the reviewer could not tell, or whose review failed; they judge nobody."""


class Auditioned(EventBase):
    """How a candidate did on the probe: balanced accuracy, agreement with the others' vote, and its label map."""

    type: Literal["auditioned"] = "auditioned"
    model: str
    accuracy: float
    agreement: float
    label_map: MapStatus
    passed: bool
    reason: str


class EnsembleChosen(EventBase):
    type: Literal["ensemble_chosen"] = "ensemble_chosen"
    models: tuple[str, ...]
    reason: str = ""


class Forecasted(EventBase):
    """What the run will take from here on; `budget_left` are the USD that it may still spend, None: no limit."""

    type: Literal["forecasted"] = "forecasted"
    forecast: Forecast
    budget_left: float | None = None


class StageStarted(EventBase):
    type: Literal["stage_started"] = "stage_started"
    stage: int
    stages: int
    rows: int


class ShardAnnotated(EventBase):
    type: Literal["shard_annotated"] = "shard_annotated"
    stage: int
    model: str
    done: int
    total: int


class StageVoted(EventBase):
    type: Literal["stage_voted"] = "stage_voted"
    stage: int
    unanimous: float
    """The share of rows on which all specialists agree."""
    agreement: dict[str, float]
    """Each specialist's agreement with the vote."""


class RowsReviewed(EventBase):
    type: Literal["rows_reviewed"] = "rows_reviewed"
    stage: int
    kind: Literal["risk", "spot_check", "relabel"]
    round: int = 0
    """Of the reviews for risk in this stage."""
    rows: int
    changed: int
    """Rows to which the reviewer gave another label than the vote."""
    undecided: int = 0
    """Rows of which the reviewer said that it cannot tell."""
    failed: int
    source: str


class EpochTrained(EventBase):
    """A model has been taught for `done` of `total` epochs; the first of a training that goes on may be any."""

    type: Literal["epoch_trained"] = "epoch_trained"
    stage: int
    model: str
    done: int
    total: int


class FineTuned(EventBase):
    type: Literal["fine_tuned"] = "fine_tuned"
    stage: int
    model: str
    version: int
    rows: int
    accuracy_before: float
    accuracy_after: float


class Gated(EventBase):
    type: Literal["gated"] = "gated"
    stage: int
    model: str
    version: int
    promoted: bool
    reason: str


class StageCriticised(EventBase):
    """What the result critic decided after a stage: an `action` with what it is about, the figures that speak for it,
    and its reason. `applied` is False where the decision went beyond what it may decide; `note` then says so."""

    type: Literal["stage_criticised"] = "stage_criticised"
    stage: int
    action: Literal["go_on", "raise_review_share", "drop_specialist", "relabel_pair", "stop_run"]
    review_share: float | None = None
    model: str | None = None
    labels: tuple[str, ...] = ()
    evidence: dict[str, float]
    """The figures, by their name in what the critic was shown."""
    reason: str
    applied: bool = True
    note: str = ""


class SpecialistDropped(EventBase):
    """A specialist votes no more from stage `stage` on."""

    type: Literal["specialist_dropped"] = "specialist_dropped"
    stage: int
    model: str
    reason: str


class StageFinished(EventBase):
    type: Literal["stage_finished"] = "stage_finished"
    stage: int
    rows: int
    reviewed: int
    unlabelled: int


class AuditLooked(EventBase):
    """What an audit found so far: of the rows `drawn`, how many had another label than the expert's, and how many got
    no answer; `widened`: the riskiest rows that were reviewed beside."""

    type: Literal["audit_looked"] = "audit_looked"
    drawn: int
    differing: int
    unanswered: int
    widened: int


class Certified(EventBase):
    """What is stated of all labels, in words."""

    type: Literal["certified"] = "certified"
    status: str = ""
    """That of the certificate; empty in runs of earlier versions."""
    statement: str
    reason: str = ""
    people: str = ""
    """What people's audit shows of them, where there was one."""


class Noticed(EventBase):
    """Something that the person should know and that stops nothing."""

    type: Literal["noticed"] = "noticed"
    message: str


class RunFinished(EventBase):
    type: Literal["run_finished"] = "run_finished"
    rows: int
    unlabelled: int


class RunStopped(EventBase):
    """The run was to go no further than its forecast, and has come there."""

    type: Literal["run_stopped"] = "run_stopped"


class RunFailed(EventBase):
    type: Literal["run_failed"] = "run_failed"
    error: str
    exit_status: int


Event = Annotated[
    RunStarted
    | SandboxChosen
    | EndpointApproved
    | EndpointPaused
    | NodeStarted
    | TaskResolved
    | HubSearched
    | CandidatesSelected
    | ScriptTested
    | CandidateDropped
    | DownloadsPlanned
    | ModelDownloading
    | ProbeLabelled
    | Auditioned
    | EnsembleChosen
    | Forecasted
    | StageStarted
    | ShardAnnotated
    | StageVoted
    | RowsReviewed
    | EpochTrained
    | FineTuned
    | Gated
    | StageCriticised
    | SpecialistDropped
    | StageFinished
    | AuditLooked
    | Certified
    | Noticed
    | RunFinished
    | RunStopped
    | RunFailed,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
