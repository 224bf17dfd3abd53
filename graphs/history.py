"""What a run did, told from its events: the report and the terminal are drawn from this."""

import datetime
from collections import Counter
from dataclasses import dataclass, field

from records.candidate import repo_of
from records.events import (
    CandidateDropped,
    EnsembleChosen,
    Event,
    Forecasted,
    Gated,
    NodeStarted,
    Noticed,
    RowsReviewed,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    SandboxChosen,
    SpecialistDropped,
    StageCriticised,
    StageStarted,
    StageVoted,
)
from records.folder import RunFolder
from templates.report import ReportDecision, ReportStage, format_percent


@dataclass
class RunHistory:
    """The last word of the events on each thing: a node that ran again after a stop told its events again."""

    node: str = ""
    """The last node that began."""
    stages: int = 0
    ensemble: str = ""
    """Why the specialists were chosen."""
    sandboxes: dict[str, None] = field(default_factory=dict)
    """Where scripts ran, with the digest of the image; a resumed run may have met another."""
    ending: RunFinished | RunStopped | RunFailed | None = None
    notices: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    started: dict[int, StageStarted] = field(default_factory=dict)
    voted: dict[int, StageVoted] = field(default_factory=dict)
    reviewed: dict[tuple[int, str, int], RowsReviewed] = field(default_factory=dict)
    gated: dict[tuple[str, int], Gated] = field(default_factory=dict)
    criticised: dict[int, StageCriticised] = field(default_factory=dict)
    left: dict[str, SpecialistDropped] = field(default_factory=dict)
    """Specialist → since when it votes no more, and why."""
    has_forecast: bool = False
    seconds_before: float = 0.0
    seconds: float = 0.0
    """How long the run was at work before and after its forecast; while it was stopped does not count."""
    _last: datetime.datetime | None = None

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912 (one case an event)
        """Let one more event speak."""
        self._count_time(event)
        match event:
            case RunStarted():
                self.ending = None
            case RunFinished() | RunStopped() | RunFailed():
                self.ending = event
            case NodeStarted():
                self.node = event.node
            case SandboxChosen():
                self.sandboxes[f"{event.name} (image {event.image})" if event.image else event.name] = None
            case CandidateDropped():
                self.dropped[event.model] = event.reason
            case EnsembleChosen():
                self.ensemble = event.reason
            case Forecasted():
                self.has_forecast = True
            case StageStarted():
                self.started[event.stage], self.stages = event, event.stages
            case StageVoted():
                self.voted[event.stage] = event
            case RowsReviewed():
                self.reviewed[event.stage, event.kind, event.round] = event
            case Gated():
                self.gated[event.model, event.version] = event
            case StageCriticised():
                self.criticised[event.stage] = event
            case SpecialistDropped():
                self.left[event.model] = event
            case Noticed():
                self.notices[event.message] = None
            case _:
                pass

    def _count_time(self, event: Event) -> None:
        at = datetime.datetime.fromisoformat(event.time)
        if self._last is not None and not isinstance(event, RunStarted):
            worked = (at - self._last).total_seconds()
            if self.has_forecast:
                self.seconds += worked
            else:
                self.seconds_before += worked
        self._last = at

    def tell_stages(self) -> tuple[ReportStage, ...]:
        """Return the stages in their order."""
        return tuple(self._tell_stage(stage) for stage in sorted(self.started))

    def _tell_stage(self, stage: int) -> ReportStage:
        reviews = [one for (of, *_), one in self.reviewed.items() if of == stage]
        labelled: Counter[str] = Counter()
        for one in reviews:
            labelled[one.kind] += one.rows - one.undecided - one.failed
        gates = [gate for gate in self.gated.values() if gate.stage == stage]
        voted = self.voted.get(stage)
        return ReportStage(
            stage=stage,
            rows=self.started[stage].rows,
            unanimous=voted.unanimous if voted else 0.0,
            reviewed=labelled["risk"],
            spot_checked=labelled["spot_check"],
            relabelled=labelled["relabel"],
            changed=sum(one.changed for one in reviews),
            undecided=sum(one.undecided for one in reviews),
            failed=sum(one.failed for one in reviews),
            promoted=sum(gate.promoted for gate in gates),
            rejected=sum(not gate.promoted for gate in gates),
        )

    def tell_decisions(self) -> tuple[ReportDecision, ...]:
        """Return what the result critic decided, stage by stage."""
        return tuple(
            ReportDecision(
                stage=stage,
                decision=describe_decision(event),
                evidence=event.evidence,
                reason=event.reason,
                applied=event.applied,
                note=event.note,
            )
            for stage, event in sorted(self.criticised.items())
        )

    def count_promotions(self, model: str) -> int:
        """Return how many of a specialist's fine-tunes were promoted."""
        return sum(gate.promoted for gate in self.gated.values() if gate.model == model)


def describe_decision(event: StageCriticised) -> str:
    """Return a decision of the result critic in words."""
    match event.action:
        case "raise_review_share":
            return f"review up to {format_percent(event.review_share or 0)} of a stage"
        case "drop_specialist":
            return f"drop {repo_of(event.model or '')}"
        case "relabel_pair":
            return f"relabel rows between {' and '.join(event.labels)}"
        case "stop_run":
            return "stop and wait for a person"
        case _:
            return "go on"


def read_history(folder: RunFolder) -> RunHistory:
    """Return what the events of a run say so far."""
    history = RunHistory()
    for event in folder.read_events():
        history.take(event)
    return history
