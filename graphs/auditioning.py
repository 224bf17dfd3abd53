"""The audition: the candidates annotate a probe of the task's own rows, and the ensemble is chosen."""

from pathlib import Path

import numpy as np
from langgraph.runtime import Runtime

from graphs.context import RunContext
from graphs.engine import Assignment, Job
from graphs.jobs import Attempt, candidate_job, fetch_model, read_candidates, read_selections
from graphs.state import RunState, Update
from graphs.tables import find_filled_rows, merge_shards, probs_of, read_texts, shards_for, write_shards
from records.candidate import Audition, ModelsLock, Specialist, slug_of
from records.errors import ModelError, NoSpecialistsError
from records.events import Auditioned, CandidateDropped, EnsembleChosen
from records.folder import read_record, write_json
from specialists.arrays import Floats
from specialists.audition import AuditionScore, draw_probe, score_candidates


def audition(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Try the accepted candidates on the probe and lock the ensemble: at most `models` of those that pass.

    The best have the highest product of the selector's score and the agreement on the probe: agreement alone would
    favour models that are alike, whatever they were made for.

    Raises NoSpecialistsError where none passes.
    """
    context = runtime.context
    accepted = {slug: one["attempt"] for slug, one in state["scripts"].items() if one["status"] == "accepted"}
    jobs = [candidate_job(context, slug, context.folder.attempt(slug, number)) for slug, number in accepted.items()]
    probs = _annotate_probe(context, jobs, state["rows"])
    scores = dict(zip(probs, score_candidates(np.stack(list(probs.values()))), strict=True))
    for slug, score in scores.items():
        context.emit(Auditioned(model=slug, agreement=score.agreement, passed=score.passed, reason=score.reason))
    fitness = {slug_of(one.repo_id): one.score for one in read_selections(context.folder)}
    passed = [slug for slug, score in scores.items() if score.passed]
    chosen = sorted(passed, key=lambda slug: -scores[slug].agreement * fitness[slug])[: context.settings.models]
    for slug in accepted:
        if slug not in chosen:
            context.engine.release(slug, 0)
            if slug in scores:
                why = f"{len(chosen)} others fit better" if scores[slug].passed else "failed its audition"
                context.emit(CandidateDropped(model=slug, reason=f"{why}: it {scores[slug].reason}"))
    if not chosen:
        raise NoSpecialistsError(
            "no candidate passed its audition: " + "; ".join(f"{slug} {one.reason}" for slug, one in scores.items()),
            next_step="Say the task in other words, or name another --hub.",
        )
    rows = len(next(iter(probs.values())))
    specialists = tuple(_specialist(context, slug, accepted[slug], scores[slug], rows) for slug in chosen)
    write_json(context.folder.lock, ModelsLock(hub=context.hub_name, specialists=specialists))
    context.emit(EnsembleChosen(models=tuple(chosen)))
    return {"versions": dict.fromkeys(chosen, 0)}


def _annotate_probe(context: RunContext, jobs: list[Job], rows: int) -> dict[str, Floats]:
    """Return slug → probabilities (n_probe, n_labels); a candidate that breaks on the probe is dropped."""
    filled = find_filled_rows(context.folder, rows, context.settings.shard_size)
    numbers = filled[draw_probe(len(filled), context.settings.probe_size, context.settings.seed)].tolist()
    texts = read_texts(context.folder, numbers, context.settings.shard_size)
    inputs = write_shards(context.folder.scratch / "audition", numbers, texts, context.settings.shard_size)
    assignments = [Assignment(job, shards_for(inputs, job.name), features=False) for job in jobs]
    failures = {job.name: why for job, why in context.engine.annotate(assignments).items()}
    probs: dict[str, Floats] = {}
    for one in assignments:
        if one.job.name not in failures:
            try:
                probs[one.job.name] = probs_of(merge_shards(one.shards, context.read_task().label_names))
            except ModelError as error:
                failures[one.job.name] = error.what
    for slug, reason in failures.items():
        context.emit(CandidateDropped(model=slug, reason=reason))
    if not probs:
        raise NoSpecialistsError(
            "every candidate failed on the probe: " + "; ".join(failures.values()),
            next_step=f"See the scripts in {context.folder.path / 'scripts'}.",
        )
    return probs


def _specialist(context: RunContext, slug: str, number: int, score: AuditionScore, rows: int) -> Specialist:
    attempt: Path = context.folder.attempt(slug, number)
    candidate = read_candidates(context.folder)[slug]
    labels = context.read_task().label_names
    return Specialist(
        name=slug,
        repo_id=candidate.repo_id,
        revision=candidate.revision,
        sha256=fetch_model(context, slug).sha256,
        parameters=candidate.parameters or 0,
        label_map=read_record(attempt / "attempt.json", Attempt).parts.label_map,
        dtype=context.settings.dtype,
        script=str(attempt.relative_to(context.folder.path)),
        audition=Audition(
            rows=rows,
            agreement=score.agreement,
            label_shares=dict(zip(labels, score.label_shares.tolist(), strict=True)),
            passed=score.passed,
            reason=score.reason,
        ),
    )
