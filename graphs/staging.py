"""One stage: annotate its rows, vote, review the riskiest, spot-check the rest, and relabel what the critic doubts."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.base import Consensus, ReviewRequest
from graphs.context import RunContext
from graphs.engine import Assignment, Job
from graphs.fetching import have_voters
from graphs.jobs import drop_specialists, weigh_voters
from graphs.reviewing import ReviewStep, StepKind, apply_reviews, number_step
from graphs.state import RunState, Update
from graphs.tables import (
    VOTED,
    StageRows,
    features_of,
    merge_shards,
    read_label,
    read_probs,
    read_stage_labels,
    read_stage_rows,
    shards_for,
    tabulate_vote,
    write_shards,
)
from records.errors import ModelError
from records.events import RowsReviewed, ShardAnnotated, StageFinished, StageStarted, StageVoted
from records.folder import write_json, write_table
from specialists.arrays import Booleans, Floats, Integers
from specialists.confusion import RELABEL_SHARE, choose_confused
from specialists.risk import choose_riskiest, draw_spot_check
from specialists.vote import take_soft_vote


def annotate_stage(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Have every specialist annotate the rows of this stage; one that fails or cannot be had votes no more.

    Raises ModelError where all of them fail, and as `have_voters` does; the run can be resumed.
    """
    context, stage = runtime.context, state["stage"]
    if stage and (before := _scratch(context, stage - 1)).exists():
        shutil.rmtree(before)
    rows = _stage_rows(context, state)
    context.emit(StageStarted(stage=stage, stages=state["stages"], rows=len(rows.number)))
    inputs = _write_stage_shards(context, stage, rows)
    noted = _scratch(context, stage) / "failures.json"
    if not noted.exists():  # noted once: what fails in a moment of need might do well when the node runs again
        jobs, gone = have_voters(context, state)
        features = context.team.reviewer.source == "offline"
        failures = _collect_votes(
            context, stage, [Assignment(job, shards_for(inputs, job.name), features) for job in jobs]
        )
        if len(failures) == len(jobs):
            raise ModelError(
                "; ".join(failures.values()), next_step=f"autoannotator resume {context.folder.path} tries again."
            )
        write_json(noted, gone | failures)
    failures = json.loads(noted.read_text(encoding="utf-8"))
    return {"versions": drop_specialists(context, state, failures, stage)}


def _collect_votes(context: RunContext, stage: int, assignments: Sequence[Assignment]) -> dict[str, str]:
    """Write every specialist's votes down; return specialist → why, for those that failed."""

    def report(job: Job, done: int, total: int) -> None:
        context.emit(ShardAnnotated(stage=stage, model=job.name, done=done, total=total))

    failures = {job.name: why for job, why in context.engine.annotate(assignments, report).items()}
    for one in assignments:
        if one.job.name in failures:
            continue
        try:
            votes = merge_shards(one.shards, context.read_task().label_names)
        except ModelError as error:
            failures[one.job.name] = error.what
        else:
            write_table(context.folder.votes(stage, one.job.name), votes.select(["id", "label", "score", "probs"]))
    return failures


def _stage_rows(context: RunContext, state: RunState) -> StageRows:
    return read_stage_rows(context.folder, state["stage"], state["stage_size"], context.settings.shard_size)


def _scratch(context: RunContext, stage: int) -> Path:
    return context.folder.scratch / f"stage-{stage:04d}"


def _write_stage_shards(context: RunContext, stage: int, rows: StageRows) -> tuple[Path, ...]:
    filled = np.flatnonzero(~rows.empty)
    return write_shards(
        _scratch(context, stage),
        rows.number[filled].tolist(),
        [rows.text[index] for index in filled],
        context.settings.shard_size,
    )


def vote(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Let the specialists vote on this stage and write its labels."""
    context, stage = runtime.context, state["stage"]
    models = list(state["versions"])
    rows = _stage_rows(context, state)
    probs = read_probs(context.folder, stage, models)
    result = take_soft_vote(probs, weigh_voters(context.folder, state))
    table = tabulate_vote(rows, probs, result, stage=stage, labels=context.read_task().label_names, models=models)
    write_table(context.folder.stage_labels(stage), table)
    own = probs.argmax(axis=2)
    if len(result.label):
        agreement = {model: float((own[k] == result.label).mean()) for k, model in enumerate(models)}
        context.emit(StageVoted(stage=stage, unanimous=float(result.unanimous.mean()), agreement=agreement))


def review(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Review the riskiest rows of this stage."""

    def choose(agreement: Floats, risk: Floats, eligible: Booleans) -> Integers:
        return choose_riskiest(agreement, risk, eligible, state["review_share"])

    _review_rows(runtime.context, state, "risk", choose)


def spot_check(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Review a small uniform sample of the rows that nobody looked at."""
    settings = runtime.context.settings

    def choose(agreement: Floats, risk: Floats, eligible: Booleans) -> Integers:
        return draw_spot_check(eligible, settings.spot_check_share, seed=settings.seed + state["stage"])

    _review_rows(runtime.context, state, "spot_check", choose)


def relabel(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Review rows of this stage that are torn between the two labels which the result critic doubts."""
    context, stage = runtime.context, state["stage"]
    labels = context.read_task().label_names
    first, second = (labels.index(label) for label in state["relabel"])
    rows = _stage_rows(context, state)
    mean = np.zeros((len(rows.text), len(labels)))
    probs = read_probs(context.folder, stage, list(state["versions"]))
    mean[~rows.empty] = take_soft_vote(probs, weigh_voters(context.folder, state)).mean

    def choose(agreement: Floats, risk: Floats, eligible: Booleans) -> Integers:
        return choose_confused(mean, (first, second), eligible, math.floor(RELABEL_SHARE * len(mean)))

    _review_rows(context, state, "relabel", choose)


def finish_stage(
    state: RunState, runtime: Runtime[RunContext]
) -> Command[Literal["fine_tune", "annotate_stage", "report"]]:
    """Count what was reviewed, and decide what comes next."""
    context, stage = runtime.context, state["stage"]
    settings = context.settings
    table = read_stage_labels(context.folder, stage)
    taught = [
        read_label(label) is not None and copied is None
        for label, copied in zip(table["review_label"].to_pylist(), table["copied_from"].to_pylist(), strict=True)
    ]
    unlabelled = table["label"].null_count
    context.emit(StageFinished(stage=stage, rows=len(table), reviewed=sum(taught), unlabelled=unlabelled))
    pool = state["pool"] + sum(taught)
    update = {"pool": pool, "unlabelled": state["unlabelled"] + unlabelled}
    if stage + 1 == state["stages"]:
        return Command(goto="report", update=update)
    if settings.learning and pool >= settings.pool_size:
        return Command(goto="fine_tune", update=update)
    return Command(goto="annotate_stage", update={**update, "stage": stage + 1})


Choice = Callable[[Floats, Floats, Booleans], Integers]
"""From agreement, risk and eligibility, each (n_rows,), to the rows to review."""


def _review_rows(context: RunContext, state: RunState, kind: StepKind, choose: Choice) -> None:
    stage, settings = state["stage"], context.settings
    step = ReviewStep(number=number_step(stage, kind), reviews=context.reviews, rows=_stage_rows(context, state))
    table = read_stage_labels(context.folder, stage)
    agreement = table["agreement"].to_numpy(zero_copy_only=False)
    risk = table["risk"].to_numpy(zero_copy_only=False)
    chosen = choose(agreement, risk, step.eligible)
    request = ReviewRequest(
        task=context.read_task(),
        rows=step.gather_rows(table, chosen, show_votes=settings.show_votes),
        consensus=_gather_consensus(context, state, step.rows, chosen),
        known=step.gather_known(context.folder, settings.shard_size) if settings.review_style == "few" else (),
    )
    reviews = context.team.reviewer.review(request) if request.rows else ()
    step.book(chosen, reviews)
    reviewed = apply_reviews(table, step.booked())
    write_table(context.folder.stage_labels(stage), reviewed)
    voted = dict(zip(step.rows.number.tolist(), table[VOTED].to_pylist(), strict=True))
    context.emit(
        RowsReviewed(
            stage=stage,
            kind=kind,
            rows=len(reviews),
            changed=sum(one.label not in (None, voted[one.row]) for one in reviews),
            undecided=sum(one.undecided for one in reviews),
            failed=sum(one.failed for one in reviews),
            source=context.team.reviewer.source,
        )
    )


def _gather_consensus(context: RunContext, state: RunState, rows: StageRows, chosen: Integers) -> Consensus | None:
    """Return what a reviewer without a language model learns from: the rows all agree on, less those to review."""
    if context.team.reviewer.source != "offline" or len(chosen) == 0:
        return None
    stage, models = state["stage"], list(state["versions"])
    inputs = _write_stage_shards(context, stage, rows)
    labels = context.read_task().label_names
    features = np.concatenate(
        [features_of(merge_shards(shards_for(inputs, model), labels)) for model in models], axis=1
    )
    result = take_soft_vote(read_probs(context.folder, stage, models), weigh_voters(context.folder, state))
    filled = np.flatnonzero(~rows.empty)
    to_review = np.isin(filled, chosen)
    taught = result.unanimous & ~to_review
    position = {int(index): place for place, index in enumerate(filled)}
    places = [position[int(index)] for index in chosen]
    return Consensus(
        features=features[taught],
        labels=result.label[taught],
        review_features=features[places],
        review_vote=result.mean[places],
    )
