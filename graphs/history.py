"""What a run did, told from its events: the report and the terminal are drawn from this."""

from dataclasses import dataclass, field

from records.events import (
    CandidateDropped,
    Event,
    Gated,
    NodeStarted,
    Noticed,
    RowsReviewed,
    RunFailed,
    RunFinished,
    RunStarted,
    SandboxChosen,
    StageStarted,
    StageVoted,
)
from records.folder import RunFolder
from templates.report import ReportStage


@dataclass
class RunHistory:
    """The last word of the events on each thing: a node that ran again after a stop told its events again."""

    node: str = ""
    """The last node that began."""
    stages: int = 0
    sandboxes: dict[str, None] = field(default_factory=dict)
    """Where scripts ran, with the digest of the image; a resumed run may have met another."""
    ending: RunFinished | RunFailed | None = None
    notices: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    started: dict[int, StageStarted] = field(default_factory=dict)
    voted: dict[int, StageVoted] = field(default_factory=dict)
    reviewed: dict[tuple[int, str], RowsReviewed] = field(default_factory=dict)
    gated: dict[tuple[str, int], Gated] = field(default_factory=dict)

    def take(self, event: Event) -> None:  # noqa: C901 (one case an event)
        """Let one more event speak."""
        match event:
            case RunStarted():
                self.ending = None
            case RunFinished() | RunFailed():
                self.ending = event
            case NodeStarted():
                self.node = event.node
            case SandboxChosen():
                self.sandboxes[f"{event.name} (image {event.image})" if event.image else event.name] = None
            case CandidateDropped():
                self.dropped[event.model] = event.reason
            case StageStarted():
                self.started[event.stage], self.stages = event, event.stages
            case StageVoted():
                self.voted[event.stage] = event
            case RowsReviewed():
                self.reviewed[event.stage, event.kind] = event
            case Gated():
                self.gated[event.model, event.version] = event
            case Noticed():
                self.notices[event.message] = None
            case _:
                pass

    def tell_stages(self) -> tuple[ReportStage, ...]:
        """Return the stages in their order."""
        return tuple(self._tell_stage(stage) for stage in sorted(self.started))

    def _tell_stage(self, stage: int) -> ReportStage:
        reviews = [self.reviewed.get((stage, kind)) for kind in ("risk", "spot_check")]
        gates = [gate for gate in self.gated.values() if gate.stage == stage]
        voted = self.voted.get(stage)
        return ReportStage(
            stage=stage,
            rows=self.started[stage].rows,
            unanimous=voted.unanimous if voted else 0.0,
            reviewed=reviews[0].rows - reviews[0].failed if reviews[0] else 0,
            spot_checked=reviews[1].rows - reviews[1].failed if reviews[1] else 0,
            changed=sum(review.changed for review in reviews if review),
            promoted=sum(gate.promoted for gate in gates),
            rejected=sum(not gate.promoted for gate in gates),
        )

    def count_promotions(self, model: str) -> int:
        """Return how many of a specialist's fine-tunes were promoted."""
        return sum(gate.promoted for gate in self.gated.values() if gate.model == model)


def read_history(folder: RunFolder) -> RunHistory:
    """Return what the events of a run say so far."""
    history = RunHistory()
    for event in folder.read_events():
        history.take(event)
    return history
