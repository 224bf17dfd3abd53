"""The audition: the candidates annotate a probe of the task's own rows, and their label maps are held against its
labels; those that pass stand for the ensemble."""

from collections.abc import Mapping

import numpy as np
from langgraph.runtime import Runtime

from agents.label_maps import read_card, read_names
from graphs.attempts import Attempt, read_attempt, write_attempt
from graphs.choosing import Auditioned, choose_specialists, take_lock
from graphs.context import RunContext
from graphs.fetching import have_jobs, leave_out
from graphs.jobs import candidate_job, list_weights, read_candidates, read_selections
from graphs.probing import ProbeRows, hold_probe
from graphs.scripting import test_corrected
from graphs.state import RunState, Update
from records.candidate import Audition, Candidate, LabelMap, MapVerdict, RowCost, slug_of
from records.errors import ModelError
from specialists.arrays import Integers
from specialists.audition import AuditionScore, score_candidates, take_votes_of_others
from specialists.class_maps import verify_map_by_consensus
from specialists.label_space import make_space
from specialists.map_judges import MapJudge, choose_judge

BYTES_OF_A_PARAMETER = 4
"""In float32: so a model's size is estimated from its weights where the Hub does not say it."""


def audition(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Try the accepted candidates on the probe and lock the ensemble: the `models` whose vote together is the best.

    With a lock that was given, its ensemble is taken as it is. Raises NoSpecialistsError where none passes.
    """
    context = runtime.context
    accepted = {slug: one["attempt"] for slug, one in state["scripts"].items() if one["status"] == "accepted"}
    kept = {slug_of(one.repo_id) for one in read_selections(context.folder) if one.kept}
    attempts = {slug: number for slug, number in accepted.items() if slug in kept}
    if context.given_lock is not None:
        chosen = take_lock(context, context.given_lock, attempts)
    else:
        jobs, gone = have_jobs(
            context, attempts, lambda slug: candidate_job(context, slug, context.folder.attempt(slug, attempts[slug]))
        )
        leave_out(context, gone)
        guessed = frozenset(slug for slug, number in attempts.items() if _read_map(context, slug, number).guessed)
        probe = hold_probe(context, jobs, state["rows"], guessed)
        chosen = choose_specialists(context, probe, _judge(context, probe, attempts))
    for slug in attempts:
        if slug not in chosen:
            context.engine.release(slug, 0)
    return {"versions": dict.fromkeys(chosen, 0)}


def _read_map(context: RunContext, slug: str, number: int) -> LabelMap:
    return read_attempt(context, slug, number).parts.label_map


def _judge(context: RunContext, probe: ProbeRows, accepted: dict[str, int]) -> tuple[Auditioned, ...]:
    """Verify the label maps, mend the scripts of those that the probe corrects, and score the candidates."""
    attempts, verdicts = dict(accepted), _verify_all(context, probe, accepted)
    for slug, verdict in verdicts.items():
        if verdict.status == "corrected":
            if why := _correct(context, slug, accepted[slug], verdict):
                reason = f"{verdict.reason}; but {why}"
                verdicts[slug] = verdict.model_copy(update={"status": "unverified", "reason": reason})
            else:
                attempts[slug] += 1
    labels, space, judge = context.read_task().label_names, make_space(context.read_task()), _find_judge(context)
    used = {slug: one.proposed if one.status == "unverified" else one.found for slug, one in verdicts.items()}
    probs = {slug: judge.read_classes(own.class_probs, used[slug], labels) for slug, own in probe.annotations.items()}
    rows = probe.judging
    shown = np.stack([one[rows] for one in probs.values()])
    scores = score_candidates(shown, probe.truth_labels, probe.weights[rows], list(verdicts.values()), space)
    candidates = read_candidates(context.folder)
    return tuple(
        Auditioned(
            candidate=candidates[slug],
            attempt=attempts[slug],
            probs=probs[slug],
            audition=_record(probe, candidates[slug], verdicts[slug], score, labels),
        )
        for slug, score in zip(verdicts, scores, strict=True)
    )


def _verify_all(context: RunContext, probe: ProbeRows, accepted: Mapping[str, int]) -> dict[str, MapVerdict]:
    """Return what the probe says of every candidate's label map, by slug in their order.

    By mere consensus, a candidate that reads its classes the wrong way round spoils the vote that the others are held
    against. So of those that are refused the one that agrees least with the others leaves the vote first, and the
    others are judged again. Two that contradict each other are both refused, where no gold row says which of them is
    right. One that has no other voter is held against nobody.
    """
    space, maps = make_space(context.read_task()), {slug: _read_map(context, slug, accepted[slug]) for slug in accepted}
    own = {slug: space.mark_unknown(one.probs, maps[slug].covered()) for slug, one in probe.annotations.items()}
    verdicts = _refuse_contradicted(context, probe, accepted)
    voting = [slug for slug in own if slug not in verdicts and not maps[slug].guessed]
    while True:
        mask = np.array([slug in voting for slug in own])
        others = dict(zip(own, take_votes_of_others(np.stack(list(own.values())), mask, space), strict=True))
        opposed = {slug: others[slug] if set(voting) - {slug} else None for slug in own if slug not in verdicts}
        judged = {slug: _verify(context, probe, slug, accepted[slug], vote) for slug, vote in opposed.items()}
        refused = [slug for slug in voting if judged[slug].status == "unverified"]
        if probe.truth_labels is not None or not refused or len(voting) <= 2:
            return {slug: (verdicts | judged)[slug] for slug in own}
        agreement = {slug: np.average(space.pick(own[slug]) == others[slug], weights=probe.weights) for slug in refused}
        worst = min(refused, key=lambda slug: agreement[slug])
        verdicts[worst] = judged[worst]
        voting.remove(worst)


def _refuse_contradicted(context: RunContext, probe: ProbeRows, accepted: Mapping[str, int]) -> dict[str, MapVerdict]:
    """Return the verdicts on the maps that the few gold rows contradict, by slug."""
    labels, refused = context.read_task().label_names, dict[str, MapVerdict]()
    for slug, class_probs in probe.few.class_probs.items():
        classes = _read_map(context, slug, accepted[slug]).classes
        if why := _find_judge(context).find_contradiction(class_probs, probe.few.label, classes, labels):
            reason = f"the gold rows contradict it: {why}"
            refused[slug] = MapVerdict(status="unverified", proposed=classes, found=classes, margin=0.0, reason=reason)
    return refused


def _verify(context: RunContext, probe: ProbeRows, slug: str, number: int, others: Integers | None) -> MapVerdict:
    """Return what the probe says of a candidate's label map; `others` (n_rows,) is the vote of the rest, None where
    none of them votes."""
    task, candidate = context.read_task(), read_candidates(context.folder)[slug]
    label_map, own, rows = _read_map(context, slug, number), probe.annotations[slug].class_probs, probe.judging
    names = [candidate.id2label.get(index, f"column {index}") for index in range(own.shape[1])]
    said = {"labels": task.label_names, "class_names": names}
    if probe.truth_labels is None:
        by = {"by_names": read_names(task, candidate), "by_card": read_card(task, candidate)}
        return verify_map_by_consensus(own, others, probe.weights, **by, **said, verify=_find_judge(context).verify)
    proposed = {} if label_map.guessed else label_map.classes
    return _find_judge(context).verify(own[rows], probe.truth_labels, probe.weights[rows], proposed=proposed, **said)


def _find_judge(context: RunContext) -> MapJudge:
    return choose_judge(make_space(context.read_task()))


def _correct(context: RunContext, slug: str, number: int, verdict: MapVerdict) -> str:
    """Write a candidate's script anew with the map that the probe found, and test it; return why it failed, if so."""
    before = read_attempt(context, slug, number)
    if before.parts.script is not None:
        return "its script was written whole, so its map cannot be changed"
    if not context.folder.attempt(slug, number + 1).exists():
        found = LabelMap(classes=verdict.found, reason=f"found on the probe: {verdict.reason}")
        parts = before.parts.model_copy(update={"label_map": found, "reason": found.reason})
        attempt = Attempt(parts=parts, fallback=before.fallback, rows=before.rows, template_hashes={})
        write_attempt(context, slug, number + 1, attempt, None)
    context.engine.release(slug, 0)
    try:
        return test_corrected(context, slug, number + 1)
    except ModelError as error:  # the model is gone since the probe
        return error.what


def _record(
    probe: ProbeRows, candidate: Candidate, verdict: MapVerdict, score: AuditionScore, labels: tuple[str, ...]
) -> Audition:
    own = probe.annotations[candidate.slug]
    memory = sum(file.size for file in list_weights(candidate))
    parameters = candidate.parameters or memory // BYTES_OF_A_PARAMETER
    return Audition(
        rows=int(probe.judging.sum()),
        truth=probe.truth,
        accuracy=score.accuracy,
        accuracy_error=score.accuracy_error,
        agreement=score.agreement,
        label_shares=dict(zip(labels, score.label_shares.tolist(), strict=True)),
        label_map=verdict,
        cost=RowCost(parameters=parameters, tokens=own.tokens, memory=memory, seconds=own.seconds),
        weight=score.weight,
        passed=score.passed,
        reason=score.reason,
    )
