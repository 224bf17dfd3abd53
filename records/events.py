"""Typed events. The terminal, the page and the report are drawn from these."""

import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from records.base import Record


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
    inferred: tuple[str, ...]


class HubSearched(EventBase):
    type: Literal["hub_searched"] = "hub_searched"
    hub: str
    queries: tuple[str, ...]
    found: int


class CandidatesSelected(EventBase):
    type: Literal["candidates_selected"] = "candidates_selected"
    kept: tuple[str, ...]
    dropped: int


class ScriptTested(EventBase):
    type: Literal["script_tested"] = "script_tested"
    model: str
    attempt: int
    passed: bool
    critic: str
    sandbox: str


class CandidateDropped(EventBase):
    type: Literal["candidate_dropped"] = "candidate_dropped"
    model: str
    reason: str


class Auditioned(EventBase):
    type: Literal["auditioned"] = "auditioned"
    model: str
    agreement: float
    passed: bool
    reason: str


class EnsembleChosen(EventBase):
    type: Literal["ensemble_chosen"] = "ensemble_chosen"
    models: tuple[str, ...]


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
    kind: Literal["risk", "spot_check"]
    rows: int
    changed: int
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


class StageFinished(EventBase):
    type: Literal["stage_finished"] = "stage_finished"
    stage: int
    rows: int
    reviewed: int
    unlabelled: int


class Noticed(EventBase):
    """Something that the person should know and that stops nothing."""

    type: Literal["noticed"] = "noticed"
    message: str


class RunFinished(EventBase):
    type: Literal["run_finished"] = "run_finished"
    rows: int
    unlabelled: int


class RunFailed(EventBase):
    type: Literal["run_failed"] = "run_failed"
    error: str
    exit_status: int


Event = Annotated[
    RunStarted
    | SandboxChosen
    | NodeStarted
    | TaskResolved
    | HubSearched
    | CandidatesSelected
    | ScriptTested
    | CandidateDropped
    | Auditioned
    | EnsembleChosen
    | StageStarted
    | ShardAnnotated
    | StageVoted
    | RowsReviewed
    | EpochTrained
    | FineTuned
    | Gated
    | StageFinished
    | Noticed
    | RunFinished
    | RunFailed,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
