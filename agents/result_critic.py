"""The result critic: do a stage's figures call for a change? It sees figures, never a row."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import Action, Decision
from agents.prompting import render_prompt
from agents.replies import read_json
from records.figures import StageCounts, StageFigures, VoterCounts
from records.task import TaskSpec
from specialists.confusion import RELABEL_SHARE

MOST_LABELS = 20
"""Labels of which a share is shown for each voter, the commonest first."""
MOST_PAIRS = 20
"""Pairs of labels of which the confusion is shown for each voter, the disagreements first."""


class OfflineResultCritic:
    """Changes nothing: without a language model nobody weighs the figures."""

    def criticise(self, task: TaskSpec, figures: StageFigures) -> Decision | None:
        """Return None."""
        return None


class _DecisionReply(BaseModel):
    action: Action
    review_share: float | None = None
    specialist: str | None = None
    labels: list[str] | None = None
    evidence: list[str] = []
    reason: str


class LLMResultCritic:
    """Has a language model judge the figures."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def criticise(self, task: TaskSpec, figures: StageFigures) -> Decision | None:
        """Return what should be done after this stage, with the figures that speak for it.

        None, and nothing is sent, where nothing is left to change: no stage is to come, and no row of this one can be
        relabelled. What the decision is about exists: the specialist, the two labels, the figures. Whether it may be
        done is not asked here. Raises ReplyError and LLMUnreachableError.
        """
        may = find_scope(figures)
        if not figures.stages_left and not any(may.values()):
            return None
        shown = name_figures(figures)
        prompt = render_prompt(
            "result_critic",
            sentence=task.sentence,
            labels=task.labels,
            specialists=figures.specialists,
            may=may,
            figures=shown,
        )

        def find_fault(reply: _DecisionReply) -> str | None:
            return _find_fault(reply, task, figures, shown)

        schema = _reply_schema(task, figures, may)
        reply = self._asker.ask(prompt, read_json(_DecisionReply, find_fault), schema, stage=figures.stage).value
        return _conclude(reply, shown)


def find_scope(figures: StageFigures) -> dict[str, bool]:
    """Return for each action that changes a stage whether it can be carried out now."""
    stage, later = figures.this_stage, figures.stages_left > 0
    return {
        "raise_review_share": later and figures.review_share < figures.largest_review_share,
        "drop_specialist": later and len(figures.specialists) > 1,
        "relabel_pair": stage.unreviewed > 0 and RELABEL_SHARE * stage.rows >= 1,
    }


def _find_fault(reply: _DecisionReply, task: TaskSpec, figures: StageFigures, shown: dict[str, float]) -> str | None:
    """Return what keeps a reply from being a decision, in words that a model can act on."""
    pair, share = set(reply.labels or ()), reply.review_share
    unknown = [name for name in reply.evidence if name not in shown]
    checks = [
        ("reason: it is empty; say in one or two sentences why", bool(reply.reason.strip())),
        (f"evidence: {unknown[:1]} names no figure shown; copy a name letter for letter", not unknown),
    ]
    if reply.action != "go_on":
        checks.append((f"evidence: name at least one figure that speaks for {reply.action}", bool(reply.evidence)))
    if reply.action == "raise_review_share":
        checks.append(("review_share: give the new share as a number", share is not None))
    if reply.action == "drop_specialist":
        allowed = ", ".join(figures.specialists)
        checks.append((f"specialist: it must be one of {allowed}", reply.specialist in figures.specialists))
    if reply.action == "relabel_pair":
        allowed = ", ".join(task.label_names)
        fits = len(pair) == 2 and pair <= set(task.label_names)
        checks.append((f"labels: they must be two different ones of {allowed}", fits))
    return next((problem for problem, fine in checks if not fine), None)


def _conclude(reply: _DecisionReply, shown: dict[str, float]) -> Decision:
    """Return the decision of a faultless reply; what its action does not need is left out."""
    return Decision(
        action=reply.action,
        review_share=reply.review_share if reply.action == "raise_review_share" else None,
        specialist=reply.specialist if reply.action == "drop_specialist" else None,
        labels=tuple(reply.labels or ()) if reply.action == "relabel_pair" else (),
        evidence={name: shown[name] for name in reply.evidence},
        reason=" ".join(reply.reason.split()),
    )


def _reply_schema(task: TaskSpec, figures: StageFigures, may: dict[str, bool]) -> dict[str, Any]:
    """Return the reply's schema: the actions that can be carried out, and what these need.

    Every field is required, and one that not every action needs may be null, as strict endpoints want it.
    """
    needed = {
        "raise_review_share": ("review_share", {"type": ["number", "null"]}),
        "drop_specialist": ("specialist", {"type": ["string", "null"], "enum": [*figures.specialists, None]}),
        "relabel_pair": (
            "labels",
            {"type": ["array", "null"], "items": {"type": "string", "enum": list(task.label_names)}},
        ),
    }
    offered = [action for action in needed if may[action]]
    fields: dict[str, Any] = {
        "action": {"type": "string", "enum": ["go_on", *offered, "stop_run"]},
        **dict(needed[action] for action in offered),
        "evidence": {"type": "array", "items": {"type": "string"}},
        "reason": {"type": "string"},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def name_figures(figures: StageFigures) -> dict[str, float]:
    """Return the figures as they are shown, by dotted names that say what each is; shares have four decimals."""
    shown: dict[str, float] = {
        "stages_left": figures.stages_left,
        "review_share": figures.review_share,
        "largest_review_share": figures.largest_review_share,
        "fine_tunes.promoted": figures.promoted,
        "fine_tunes.rejected": figures.rejected,
    }
    spans = [("stage", figures.this_stage), ("so_far", figures.so_far)]
    for span, counts in spans if figures.stage else spans[:1]:
        shown |= {f"{span}.{name}": round(value, 4) for name, value in _name_counts(counts, figures.specialists)}
    return shown


def _name_counts(counts: StageCounts, specialists: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    yield "rows", counts.rows
    if not counts.rows:
        return
    yield "unanimous", counts.unanimous / counts.rows
    yield "reviewed", counts.vote.reviewed
    yield "undecided", counts.undecided
    yield "failed", counts.failed
    yield "unreviewed", counts.unreviewed
    yield "spot_check.rows", counts.spot_checked
    yield "spot_check.differing", counts.spot_differing
    yield from _name_shares("labels", counts.labels, counts.rows)
    yield from ((f"vote.{name}", value) for name, value in _name_voter(counts.vote))
    for specialist in specialists:
        voter = counts.specialists.get(specialist, VoterCounts())
        if voter.rows:
            yield f"specialists.{specialist}.agreement", voter.agreed / voter.rows
            yield from ((f"specialists.{specialist}.{name}", value) for name, value in _name_voter(voter))


def _name_voter(voter: VoterCounts) -> Iterator[tuple[str, float]]:
    yield from _name_shares("labels", voter.labels, voter.rows)
    if voter.reviewed:
        yield "confirmed", voter.confirmed
    cells = [
        (given != reviewed, rows, f"reviewed.{given}>{reviewed}")
        for given, row in voter.confusion.items()
        for reviewed, rows in row.items()
        if rows
    ]
    yield from ((name, rows) for _, rows, name in sorted(cells, key=lambda one: one[:2], reverse=True)[:MOST_PAIRS])


def _name_shares(name: str, labels: dict[str, int], total: int) -> Iterator[tuple[str, float]]:
    commonest = sorted(labels.items(), key=lambda one: -one[1])[:MOST_LABELS]
    yield from ((f"{name}.{label}", rows / total) for label, rows in commonest if total)
