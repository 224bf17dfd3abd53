"""One stage: annotate its rows, vote, review the riskiest, spot-check the rest, and relabel what the critic doubts."""

import json
import math
import shutil
from collections.abc import Sequence
from typing import Literal

import numpy as np
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.base import Consensus, ReviewRequest
from graphs.allowance import allow_reviews, keep_for_audit, note_short
from graphs.annotations import merge_shards, shards_for
from graphs.choice import choose_for_review
from graphs.context import RunContext
from graphs.engine import Assignment, Job
from graphs.fetching import have_voters
from graphs.jobs import drop_specialists, read_lock, specialist_job
from graphs.reviewing import MOST_ROUNDS, StepKind, number_step
from graphs.state import RunState, Update
from graphs.tables import read_answer, read_stage_labels
from graphs.taught import find_untaught, first_step, keep_taught, list_missing, list_taught
from graphs.voting import StageView, StageVote, hold_vote, tabulate_stage, write_stage
from records.errors import ModelError
from records.events import Noticed, RowsReviewed, ShardAnnotated, StageFinished, StageStarted, StageVoted
from records.folder import write_json, write_table
from specialists.arrays import Integers
from specialists.confusion import RELABEL_SHARE, choose_confused
from specialists.label_space import PLAIN_THRESHOLD
from specialists.risk import draw_spot_check


def annotate_stage(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Have every specialist annotate the rows of this stage, and what earlier stages' reviews labelled where it was not
    annotated by the version that votes; one that fails or cannot be had votes no more.

    Raises ModelError where all of them fail, and as `have_voters` does; the run can be resumed.
    """
    context, stage = runtime.context, state["stage"]
    view = StageView(context, state)
    keep_for_audit(context, state["rows"])  # a run that is opened again has had its audit
    if stage and (before := StageView(context, {**state, "stage": stage - 1}).scratch).exists():
        shutil.rmtree(before)
    context.emit(StageStarted(stage=stage, stages=state["stages"], rows=len(view.rows.number)))
    noted = view.scratch / "failures.json"
    if not noted.exists():  # noted once: what fails in a moment of need might do well when the node runs again
        jobs, gone = have_voters(context, state)
        failures = _collect_votes(view, _assign(view, jobs))
        if len(failures) == len(jobs):
            raise ModelError(
                "; ".join(failures.values()), next_step=f"autoannotator resume {context.folder.path} tries again."
            )
        write_json(noted, gone | failures)
    failures = json.loads(noted.read_text(encoding="utf-8"))
    return {"versions": drop_specialists(context, state, failures, stage), "round": 0}


def _assign(view: StageView, jobs: Sequence[Job]) -> list[Assignment]:
    """Return what each job annotates: this stage's rows, and those that earlier stages' reviews labelled; and what an
    earlier version has to annotate of these."""
    settings = view.context.settings
    calibrated = settings.vote == "calibrated"
    taught = list_taught(view.context, view.stage) if calibrated else ()
    assignments: list[Assignment] = []
    for job in jobs:
        known = [shard for one in taught for shard in one.shards(job.name, job.version)]
        features = calibrated or view.context.team.reviewer.source == "offline"
        assignments.append(Assignment(job, (*shards_for(view.inputs, job.name), *known), features))
        untaught = find_untaught(view.context.folder, job.name, job.version)
        for version, missing in list_missing(taught, job.name, untaught).items():
            assignments.append(Assignment(_earlier(view.context, job, version), missing, features))
    return assignments


def _earlier(context: RunContext, job: Job, version: int) -> Job:
    """Return the job of a specialist at an earlier version than that which votes."""
    specialist = next(one for one in read_lock(context.folder).specialists if one.name == job.name)
    return specialist_job(context, specialist, version)


def _collect_votes(view: StageView, assignments: Sequence[Assignment]) -> dict[str, str]:
    """Write every specialist's votes down; return specialist → why, for those that failed."""
    context = view.context

    def report(job: Job, done: int, total: int) -> None:
        context.emit(ShardAnnotated(stage=view.stage, model=job.name, done=done, total=total))

    failures = {job.name: why for job, why in context.engine.annotate(assignments, report).items()}
    for one in assignments:
        if one.job.version != view.state["versions"][one.job.name]:
            context.engine.release(one.job.name, one.job.version)
            continue
        if one.job.name in failures:
            continue
        try:
            votes = merge_shards(shards_for(view.inputs, one.job.name), view.space)
        except ModelError as error:
            failures[one.job.name] = error.what
        else:
            write_table(context.folder.votes(view.stage, one.job.name), votes.select(["id", "label", "score", "probs"]))
    return failures


def vote(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Let the specialists vote on this stage and write its labels."""
    view = StageView(runtime.context, state)
    start = number_step(view.stage, "risk")
    held = hold_vote(view, start)
    write_table(view.context.folder.stage_labels(view.stage), tabulate_stage(view, held, start))
    own = view.space.pick(view.probs)
    if len(held.result.label):
        agreement = {model: float((own[k] == held.result.label).mean()) for k, model in enumerate(view.models)}
        unanimous = 1.0 - float(held.disputed.mean())
        view.context.emit(StageVoted(stage=view.stage, unanimous=unanimous, agreement=agreement))


def review(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["review", "spot_check"]]:
    """Review the rows where it is worth most; the vote learns from the answers, and other rows may be worth it then."""
    view, round_ = StageView(runtime.context, state), state["round"]
    number = number_step(view.stage, "risk", round_)
    held = hold_vote(view, number)
    allowed = allow_reviews(view.context, state)
    chosen = choose_for_review(view, held, number, state["review_share"], allowed)
    if chosen.silence:
        message = f"Stage {view.stage + 1}: no more rows are reviewed for risk, since {chosen.silence}"
        runtime.context.emit(Noticed(message=message))
    paid = _review_rows(view, held, "risk", chosen.rows) and not chosen.is_short
    update: Update = {} if paid else {"short": note_short(view.context, state)}
    if chosen.is_last or not paid or round_ + 1 == MOST_ROUNDS:
        return Command(goto="spot_check", update=update)
    return Command(goto="review", update={"round": round_ + 1})


def spot_check(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Review a small uniform sample of the rows that nobody looked at, and write what the stage's labels are now."""
    settings, view = runtime.context.settings, StageView(runtime.context, state)
    number = number_step(view.stage, "spot_check")
    eligible = view.step(number).eligible
    chosen = draw_spot_check(eligible, settings.spot_check_share, seed=settings.seed + view.stage)
    inclusion = len(chosen) / max(int(eligible.sum()), 1)
    paid = _review_rows(view, hold_vote(view, number), "spot_check", chosen, inclusion)
    write_stage(view, first_step(view.stage + 1))
    return {} if paid else {"short": note_short(view.context, state)}


def relabel(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Review rows of this stage that are torn between the two labels which the result critic doubts."""
    view = StageView(runtime.context, state)
    first, second = (view.space.labels.index(label) for label in state["relabel"])
    number = number_step(view.stage, "relabel")
    held = hold_vote(view, number)
    mean = np.zeros((len(view.rows.text), len(view.space.labels)))
    mean[view.filled] = held.result.mean
    most = math.floor(RELABEL_SHARE * len(mean))
    chosen = choose_confused(mean, (first, second), view.step(number).eligible, most)
    paid = _review_rows(view, held, "relabel", chosen)
    write_stage(view, first_step(view.stage + 1))
    return {} if paid else {"short": note_short(view.context, state)}


def finish_stage(
    state: RunState, runtime: Runtime[RunContext]
) -> Command[Literal["fine_tune", "annotate_stage", "audit"]]:
    """Count what was reviewed, and decide what comes next."""
    context, stage = runtime.context, state["stage"]
    settings, view = context.settings, StageView(runtime.context, state)
    table = read_stage_labels(context.folder, stage)
    taught = [
        read_answer(label) is not None and copied is None
        for label, copied in zip(table["review_label"].to_pylist(), table["copied_from"].to_pylist(), strict=True)
    ]
    unlabelled = table["label"].null_count
    context.emit(StageFinished(stage=stage, rows=len(table), reviewed=sum(taught), unlabelled=unlabelled))
    pool = state["pool"] + sum(taught)
    update = {"pool": pool, "unlabelled": state["unlabelled"] + unlabelled}
    if stage + 1 == state["stages"]:
        return Command(goto="audit", update=update)
    if settings.vote == "calibrated" and len(view.filled):
        keep_taught(context, state, view.annotations)
    if settings.learning and pool >= settings.pool_size:
        return Command(goto="fine_tune", update=update)
    return Command(goto="annotate_stage", update={**update, "stage": stage + 1})


def _review_rows(view: StageView, held: StageVote, kind: StepKind, chosen: Integers, inclusion: float = 1.0) -> bool:
    """Have the chosen rows of the stage reviewed, and write the answers down; return whether there was money for all
    of them."""
    context, settings = view.context, view.context.settings
    round_ = view.state["round"] if kind == "risk" else 0
    step = view.step(number_step(view.stage, kind, round_))
    table = read_stage_labels(context.folder, view.stage)
    first = int(view.rows.number[0])
    recalled = step.recall(chosen, inclusion)
    asked = np.setdiff1d(chosen, [one.row - first for one in recalled], assume_unique=True)
    request = ReviewRequest(
        task=context.read_task(),
        rows=step.gather_rows(table, asked, show_votes=settings.show_votes),
        consensus=_gather_consensus(view, held, asked),
        known=step.gather_known(context.folder, settings.shard_size) if settings.review_style == "few" else (),
        stage=view.stage,
    )
    answered = context.team.reviewer.review(request) if request.rows else ()
    step.book(answered, inclusion)
    reviews = (*recalled, *answered)
    voted = dict(zip(view.filled.tolist(), held.result.label.tolist(), strict=True))
    context.emit(
        RowsReviewed(
            stage=view.stage,
            kind=kind,
            round=round_,
            rows=len(reviews),
            changed=sum(one.answer not in (None, view.space.decode(voted[one.row - first])) for one in reviews),
            undecided=sum(one.undecided for one in reviews),
            failed=sum(one.failed for one in reviews),
            source=context.team.reviewer.source,
        )
    )
    return len(answered) == len(request.rows)


def _gather_consensus(view: StageView, held: StageVote, chosen: Integers) -> Consensus | None:
    """Return what a reviewer without a language model learns from: the rows all agree on, less those to review."""
    if view.context.team.reviewer.source != "offline" or len(chosen) == 0:
        return None
    to_review, agreed = np.isin(view.filled, chosen), None
    taught = held.result.unanimous & ~to_review
    if view.space.several:
        given = view.probs >= PLAIN_THRESHOLD
        taught, agreed = ~to_review, (given == given[:1]).all(axis=0)[~to_review]
    position = {int(index): place for place, index in enumerate(view.filled)}
    places = [position[int(index)] for index in chosen]
    return Consensus(
        features=view.features[taught],
        labels=held.result.label[taught],
        review_features=view.features[places],
        review_vote=held.result.mean[places],
        agreed=agreed,
    )
