"""After a stage: the result critic judges its figures, and what it decides is done within bounds it cannot move."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.base import Decision
from graphs.context import RunContext
from graphs.jobs import drop_specialists
from graphs.reviewing import ReviewStep, number_step
from graphs.state import Answer, Question, RunState, Update
from graphs.tables import VOTED, read_stage_labels, read_stage_rows
from records.errors import BudgetReachedError, ReplyError
from records.events import Noticed, StageCriticised
from records.figures import Confusion, StageCounts, StageFigures, VoterCounts
from records.folder import read_record, write_json
from records.review_book import BookedReview
from records.rows import ROW
from specialists.arrays import Integers
from specialists.combination import NOT_ASKED
from specialists.confusion import count_confusion
from specialists.label_space import LabelSpace, make_space
from templates.report import format_percent


def criticise_stage(
    state: RunState, runtime: Runtime[RunContext]
) -> Command[Literal["relabel", "ask_to_go_on", "finish_stage"]]:
    """Have the figures of this stage judged, and do what was decided where it may be done."""
    context, stage = runtime.context, state["stage"]
    decision = _judge(context, state)
    if decision is None:
        return Command(goto="finish_stage")
    several = make_space(context.read_task()).several
    note = find_bound(decision, state, context.settings.largest_review_share, several=several)
    context.emit(
        StageCriticised(
            stage=stage,
            action=decision.action,
            review_share=decision.review_share,
            model=decision.specialist,
            labels=decision.labels,
            evidence=decision.evidence,
            reason=decision.reason,
            applied=not note,
            note=note,
        )
    )
    return Command(goto="finish_stage") if note else _apply(context, state, decision)


def _judge(context: RunContext, state: RunState) -> Decision | None:
    """Return the critic's decision; None where it gave none. A critic that is no use must not end a run."""
    try:
        return context.team.result_critic.criticise(context.read_task(), gather_figures(context, state))
    except BudgetReachedError as error:
        context.emit(Noticed(message=f"The result critic was not asked about stage {state['stage'] + 1}: {error.what}"))
        return None
    except ReplyError as error:
        message = f"What the result critic said of stage {state['stage'] + 1} cannot be used; the run goes on"
        context.emit(Noticed(message=f"{message}: {error.what}"))
        return None


def find_bound(decision: Decision, state: RunState, largest_share: float, *, several: bool = False) -> str:
    """Return why a decision goes beyond what the critic may decide; empty where it does not. `several`: whether a text
    may have several labels."""
    share, model, last = decision.review_share, decision.specialist, state["stage"] + 1 == state["stages"]
    if share is not None and not state["review_share"] < share <= largest_share:
        present, most = format_percent(state["review_share"]), format_percent(largest_share)
        return f"a share must be above the present {present} and at most {most}"
    if model is not None and model not in state["versions"]:
        return f"{model} does not vote"
    if model is not None and len(state["versions"]) == 1:
        return "the last specialist stays"
    if decision.action == "relabel_pair" and several:
        return "a text may have both labels or neither: none is torn between them"
    if last and decision.action in {"raise_review_share", "drop_specialist"}:
        return "no stage is left to which it would apply"
    return ""


def _apply(
    context: RunContext, state: RunState, decision: Decision
) -> Command[Literal["relabel", "ask_to_go_on", "finish_stage"]]:
    if decision.action == "stop_run":
        question = Question(
            asks="go_on",
            text=f"The result critic would stop the run after stage {state['stage'] + 1} of {state['stages']}: "
            f"{decision.reason}\nautoannotator resume {context.folder.path} --yes goes on all the same.",
            in_words=False,
        )
        return Command(goto="ask_to_go_on", update={"question": question})
    if decision.action == "relabel_pair":
        return Command(goto="relabel", update={"relabel": list(decision.labels)})
    if decision.specialist is not None:
        why = f"the result critic: {decision.reason}"
        versions = drop_specialists(context, state, {decision.specialist: why}, state["stage"] + 1)
        return Command(goto="finish_stage", update={"versions": versions})
    update = {} if decision.review_share is None else {"review_share": decision.review_share}
    return Command(goto="finish_stage", update=update)


def ask_to_go_on(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Wait until the person lets the run go on. Nothing else may happen here: this node runs again from its top."""
    _: Answer = interrupt(state["question"])
    return {"question": None}


def gather_figures(context: RunContext, state: RunState) -> StageFigures:
    """Return the figures of this stage and of all so far, from the run's files."""
    stage = state["stage"]
    this_stage = _count_stage(context, state, stage)
    gates = context.folder.path.glob("models/*/v*/gate.json")
    verdicts = [json.loads(path.read_text(encoding="utf-8"))["promoted"] for path in gates]
    return StageFigures(
        stage=stage,
        stages_left=state["stages"] - stage - 1,
        specialists=tuple(state["versions"]),
        review_share=state["review_share"],
        largest_review_share=context.settings.largest_review_share,
        promoted=sum(verdicts),
        rejected=len(verdicts) - sum(verdicts),
        this_stage=this_stage,
        so_far=_count_before(context, state, stage) + this_stage,
    )


def _count_before(context: RunContext, state: RunState, stage: int) -> StageCounts:
    """Return the counts of the stages before this one; their sum is written down, so that each is counted once."""
    if stage == 0:
        return StageCounts()
    path = context.folder.scratch / "counts" / f"before-{stage:04d}.json"
    if not path.exists():
        write_json(path, _count_before(context, state, stage - 1) + _count_stage(context, state, stage - 1))
    return read_record(path, StageCounts)


def _count_stage(context: RunContext, state: RunState, stage: int) -> StageCounts:
    rows = read_stage_rows(context.folder, stage, state["stage_size"], context.settings.shard_size)
    booked = ReviewStep(number=number_step(stage + 1, "risk"), reviews=context.reviews, rows=rows).booked()
    table = read_stage_labels(context.folder, stage).to_pylist()
    spot_check = number_step(stage, "spot_check")
    return count_rows(table, booked, make_space(context.read_task()), spot_check=spot_check)


def count_rows(
    table: Sequence[dict[str, Any]], booked: Sequence[BookedReview | None], space: LabelSpace, *, spot_check: int
) -> StageCounts:
    """Return the counts over a stage's rows; `booked` holds for each row the review that its text has had.

    A row that shares the review of another counts as not reviewed. `spot_check` is the number of that step.
    """
    pairs = [(row, one) for row, one in zip(table, booked, strict=True) if row[VOTED] is not None]
    rows = [row for row, _ in pairs]
    own = [one if one is not None and one.review.row == row[ROW] else None for row, one in pairs]
    reviewed = space.encode_all([None if one is None else one.review.answer for one in own])
    answered = reviewed != NOT_ASKED
    checked = np.array([one is not None and one.step == spot_check for one in own], dtype=np.bool_) & answered
    final = space.encode_all([row["label"] for row in rows])
    voted = space.encode_all([row[VOTED] for row in rows])
    votes = [dict(row["votes"]) for row in rows]
    given = {name: space.encode_all([one[name] for one in votes]) for name in dict(*votes[:1])}
    failed = sum(one is not None and one.review.failed for one in own)
    return StageCounts(
        rows=len(rows),
        unanimous=sum(row["agreement"] == 1.0 for row in rows),
        undecided=sum(one is not None for one in own) - int(answered.sum()) - failed,
        failed=failed,
        unreviewed=sum(one is None for _, one in pairs),
        spot_checked=int(checked.sum()),
        spot_differing=int((checked & (reviewed != voted)).sum()),
        labels=_count_labels(final, space),
        vote=_count_voter(voted, voted, reviewed, space),
        specialists={name: _count_voter(said, voted, reviewed, space) for name, said in given.items()},
    )


def _count_voter(said: Integers, voted: Integers, reviewed: Integers, space: LabelSpace) -> VoterCounts:
    """Count one voter's answers (n_rows,), codes; `reviewed` (n_rows,) is NOT_ASKED where the reviewer gave none."""
    known = reviewed != NOT_ASKED
    return VoterCounts(
        rows=len(said),
        labels=_count_labels(said, space),
        agreed=int((said == voted).sum()),
        reviewed=int(known.sum()),
        confusion=_count_confusion(said[known], reviewed[known], space),
    )


def _count_confusion(said: Integers, reviewed: Integers, space: LabelSpace) -> Confusion:
    """Return the confusion matrix; of sets of labels that of each label by itself, given or "not"."""
    if not space.several:
        return _name_confusion(count_confusion(said, reviewed, len(space.labels)), space.labels)
    given, had = (space.indicate(codes, len(space.labels)) for codes in (said, reviewed))
    parts = [
        _name_confusion(count_confusion(given[:, place], had[:, place], 2), (f"not {label}", label))
        for place, label in enumerate(space.labels)
    ]
    return {label: row for part in parts for label, row in part.items()}


def _name_confusion(matrix: Integers, labels: Sequence[str]) -> Confusion:
    return {
        label: {other: rows for other, rows in _name(row, labels).items() if rows}
        for label, row in zip(labels, matrix, strict=True)
        if row.any()
    }


def _count_labels(codes: Integers, space: LabelSpace) -> dict[str, int]:
    """Return how many rows have each label."""
    return _name(space.indicate(codes, len(space.labels)).sum(axis=0), space.labels)


def _name(counts: Integers, labels: Sequence[str]) -> dict[str, int]:
    return {label: int(count) for label, count in zip(labels, counts, strict=True)}
