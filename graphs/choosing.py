"""The ensemble: the candidates whose vote together is the best on the probe, or those of a lock that was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphs.attempts import read_attempt
from graphs.context import RunContext
from graphs.jobs import list_weights, read_selections
from graphs.probing import ProbeRows
from records.candidate import Audition, Candidate, ModelsLock, ScriptSource, Specialist, slug_of
from records.errors import NoSpecialistsError
from records.events import Auditioned as AuditionedEvent
from records.events import CandidateDropped, EnsembleChosen, Noticed
from records.folder import write_json
from specialists.arrays import Floats
from specialists.ensemble import Ensemble, choose_ensemble
from specialists.label_space import make_space
from specialists.near_copies import Origin, find_near_copies


@dataclass(frozen=True)
class Auditioned:
    """A candidate after its audition: the script attempt that votes, the label probabilities of the probe's rows
    (n_rows, n_labels) by the map as it was found, and how it did."""

    candidate: Candidate
    attempt: int
    probs: Floats
    audition: Audition

    @property
    def slug(self) -> str:
        return self.candidate.slug


def choose_specialists(context: RunContext, probe: ProbeRows, judged: Sequence[Auditioned]) -> tuple[str, ...]:
    """Lock the best ensemble of those that passed, tell why the others are not in it, and return its models.

    Raises NoSpecialistsError where nobody passed.
    """
    _tell(context, judged)
    prior = _rate(context, judged)
    copies = _find_copies(context, judged, probe, prior)
    eligible = np.array([one.audition.passed and one.slug not in copies for one in judged])
    if not eligible.any():
        reasons = "; ".join(f"{one.candidate.repo_id} {one.audition.reason}" for one in judged)
        raise NoSpecialistsError(
            f"no candidate passed its audition: {reasons}",
            next_step="Say the task in other words, give rows with their labels (--gold FILE), or name another --hub.",
        )
    rows = probe.judging
    ensemble = choose_ensemble(
        np.stack([one.probs[rows] for one in judged]),
        probe.truth_labels,
        probe.weights[rows],
        prices=np.array([one.audition.cost.price for one in judged]),
        prior=prior,
        eligible=eligible,
        size=context.settings.models,
        seed=context.settings.seed,
        space=make_space(context.read_task()),
    )
    chosen = [judged[position] for position in ensemble.members]
    for one in judged:
        if one not in chosen:
            reason = copies.get(one.slug) or f"{len(chosen)} others vote better together: it {one.audition.reason}"
            failed = f"failed its audition: it {one.audition.reason}"
            context.emit(CandidateDropped(model=one.slug, reason=reason if one.audition.passed else failed))
    weights = _weigh(probe, ensemble)
    pinned = tuple(_pin(context, one, weight) for one, weight in zip(chosen, weights, strict=True))
    write_json(context.folder.lock, ModelsLock(hub=context.hub_name, specialists=pinned))
    names = tuple(one.slug for one in chosen)
    context.emit(EnsembleChosen(models=names, reason=ensemble.reason))
    _warn_of_untested(context, chosen)
    return names


def _warn_of_untested(context: RunContext, chosen: Sequence[Auditioned]) -> None:
    """Tell that a label map which nothing could test decides labels, and what to do."""
    untested = [one.candidate.repo_id for one in chosen if one.audition.label_map.status == "untested"]
    if untested:
        what = (
            f"Nothing could test what the classes of {', '.join(untested)} mean: they are read as names and cards say"
        )
        advice = "Look at some labels, or give 20 rows with their true labels: --gold FILE"
        context.emit(Noticed(message=f"{what}. {advice}."))


def _tell(context: RunContext, judged: Sequence[Auditioned]) -> None:
    """Write every audition down, and tell how each candidate did."""
    auditions = {one.slug: one.audition.model_dump(mode="json") for one in judged}
    write_json(context.folder.audition / "candidates.json", auditions)
    for one in judged:
        context.emit(
            AuditionedEvent(
                model=one.slug,
                accuracy=one.audition.accuracy,
                agreement=one.audition.agreement,
                label_map=one.audition.label_map.status,
                passed=one.audition.passed,
                reason=one.audition.reason,
            )
        )


def _rate(context: RunContext, judged: Sequence[Auditioned]) -> Floats:
    """Return the selector's scores (n_candidates,)."""
    scores = {slug_of(one.repo_id): one.score for one in read_selections(context.folder)}
    return np.array([scores[one.slug] for one in judged])


def _find_copies(context: RunContext, judged: Sequence[Auditioned], probe: ProbeRows, prior: Floats) -> dict[str, str]:
    """Return slug → why, for those that passed and are near-copies of a better one."""
    passed = [place for place, one in enumerate(judged) if one.audition.passed]
    if not passed:
        return {}
    found = find_near_copies(
        np.stack([judged[place].probs for place in passed]),
        probe.weights,
        [_describe_origin(judged[place].candidate) for place in passed],
        np.array([judged[place].audition.accuracy for place in passed]),
        prior[passed],
        space=make_space(context.read_task()),
    )
    return {
        judged[passed[one.position]].slug: f"a near-copy of {judged[passed[one.of]].candidate.repo_id}: it {one.reason}"
        for one in found
    }


def _describe_origin(candidate: Candidate) -> Origin:
    return Origin(
        weights=frozenset(file.sha256 for file in list_weights(candidate) if file.sha256),
        base=candidate.base_model,
        data=frozenset(candidate.datasets),
    )


def _weigh(probe: ProbeRows, ensemble: Ensemble) -> list[float]:
    """Return what the votes count: by accuracy where it was measured, else all the same: consensus only knows who is
    like whom."""
    if probe.truth_labels is None:
        return [1 / len(ensemble.members)] * len(ensemble.members)
    return ensemble.weights.tolist()


def _pin(context: RunContext, one: Auditioned, weight: float) -> Specialist:
    """Return what the lock says of a chosen candidate."""
    parts = read_attempt(context, one.slug, one.attempt).parts
    figures = parts.hyperparameters
    return Specialist(
        name=one.slug,
        repo_id=one.candidate.repo_id,
        revision=one.candidate.revision,
        files=one.candidate.files,
        id2label=one.candidate.id2label,
        parameters=one.candidate.parameters or 0,
        label_map=parts.label_map,
        dtype=context.settings.dtype,
        source=ScriptSource(
            preprocess=parts.preprocess,
            read_logits=parts.read_logits,
            script=parts.script,
            hyperparameters=None if figures is None else figures.model_dump(),
        ),
        script=str(context.folder.attempt(one.slug, one.attempt).relative_to(context.folder.path)),
        audition=one.audition.model_copy(update={"weight": weight}),
    )


def take_lock(context: RunContext, given: ModelsLock, attempts: Mapping[str, int]) -> tuple[str, ...]:
    """Lock the ensemble of a lock that was given, with the scripts of this run, and return its models.

    A model whose script failed here is left out.
    """
    scripts = {slug: context.folder.attempt(slug, number) for slug, number in attempts.items()}
    kept = tuple(
        one.model_copy(update={"script": str(scripts[one.name].relative_to(context.folder.path))})
        for one in given.specialists
        if one.name in scripts
    )
    write_json(context.folder.lock, ModelsLock(hub=context.hub_name, specialists=kept))
    names = tuple(one.name for one in kept)
    context.emit(EnsembleChosen(models=names, reason=f"as {context.settings.lock} pins it"))
    return names
