"""From a specialist of the lock to a job that an engine can run, with the judgement whether it is all our own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from graphs.attempts import Attempt
from graphs.context import RunContext
from graphs.engine import Job
from graphs.state import RunState
from hub.weights import choose_weights
from records.candidate import (
    Audition,
    Candidate,
    CrawlStep,
    DownloadedModel,
    FileFacts,
    ModelsLock,
    Selection,
    Specialist,
)
from records.errors import SandboxError
from records.events import ModelDownloading, SpecialistDropped
from records.folder import RunFolder, read_record, write_json
from records.protocol import LabelsFile
from sandbox.base import RunResult
from specialists.arrays import Floats
from specialists.label_space import LabelSpace
from templates.renderer import are_default_scripts

CANDIDATES = TypeAdapter(tuple[Candidate, ...])
STEPS = TypeAdapter(tuple[CrawlStep, ...])
AUDITIONS = TypeAdapter(dict[str, Audition])
SELECTIONS = TypeAdapter(tuple[Selection, ...])


def read_candidates(folder: RunFolder) -> dict[str, Candidate]:
    """Return every candidate seen, by its slug."""
    candidates = CANDIDATES.validate_json((folder.hub / "candidates.json").read_bytes())
    return {candidate.slug: candidate for candidate in candidates}


def read_steps(folder: RunFolder) -> tuple[CrawlStep, ...]:
    """Return how the models were found, act by act."""
    return STEPS.validate_json((folder.hub / "crawl.json").read_bytes())


def read_auditions(folder: RunFolder) -> dict[str, Audition]:
    """Return every candidate's audition, by its slug; empty where a given lock spared it."""
    path = folder.audition / "candidates.json"
    return AUDITIONS.validate_json(path.read_bytes()) if path.exists() else {}


def list_weights(candidate: Candidate) -> tuple[FileFacts, ...]:
    """Return the files of a candidate's weights that are loaded."""
    loaded = choose_weights(candidate)
    return tuple(file for file in candidate.files if file.path in loaded)


def read_selections(folder: RunFolder) -> tuple[Selection, ...]:
    """Return every candidate's score and reason."""
    return SELECTIONS.validate_json((folder.hub / "selection.json").read_bytes())


def write_selections(folder: RunFolder, selections: Sequence[Selection]) -> None:
    """Write every candidate's score and reason, the best first."""
    write_json(folder.hub / "selection.json", [one.model_dump(mode="json") for one in selections])


def read_lock(folder: RunFolder) -> ModelsLock:
    """Return the ensemble."""
    return read_record(folder.lock, ModelsLock)


def list_voters(folder: RunFolder, state: RunState) -> tuple[Specialist, ...]:
    """Return the specialists that vote now: the ensemble, less those that were dropped."""
    return tuple(one for one in read_lock(folder).specialists if one.name in state["versions"])


def weigh_voters(folder: RunFolder, state: RunState) -> Floats:
    """Return what each voter's vote counts (n_voters,), in the order of `list_voters`."""
    return np.array([one.audition.weight for one in list_voters(folder, state)])


def mark_unknown(folder: RunFolder, state: RunState, space: LabelSpace, probs: Floats) -> Floats:
    """Return the voters' probabilities (n_voters, n_rows, n_labels), NaN where one says nothing of a label."""
    covered = [one.label_map.covered() for one in list_voters(folder, state)]
    return np.stack([space.mark_unknown(own, labels) for own, labels in zip(probs, covered, strict=True)])


def drop_specialists(context: RunContext, state: RunState, reasons: dict[str, str], stage: int) -> dict[str, int]:
    """Let the specialists that `reasons` names vote no more from `stage` on, and return who votes, at which version."""
    for name, reason in reasons.items():
        context.engine.release(name, state["versions"][name])
        context.emit(SpecialistDropped(stage=stage, model=name, reason=reason))
    return {name: version for name, version in state["versions"].items() if name not in reasons}


def fetch_model(context: RunContext, slug: str) -> DownloadedModel:
    """Return a candidate's model on this disk, from the cache or from the Hub, where its progress is told."""

    def tell(done: int, total: int) -> None:
        context.emit(ModelDownloading(model=slug, done=done, total=total))

    return context.open_hub().download(read_candidates(context.folder)[slug], tell)


def labels_file(context: RunContext) -> Path:
    """Return `labels.json`, the task's labels in their order and its kind, for the scripts."""
    path = context.folder.path / "labels.json"
    if not path.exists():
        task = context.read_task()
        write_json(path, LabelsFile(labels=task.label_names, kind=task.kind))
    return path


def candidate_job(context: RunContext, slug: str, attempt: Path) -> Job:
    """Return the job of a candidate as downloaded, with the scripts of an attempt."""
    model = fetch_model(context, slug)
    return Job(
        name=slug,
        version=0,
        model=Path(model.folder),
        scripts=attempt,
        labels=labels_file(context),
        dtype=context.settings.dtype,
        trusted=is_trusted(attempt, model, context.trusted_weights),
    )


def specialist_job(context: RunContext, specialist: Specialist, version: int) -> Job:
    """Return the job of a specialist at one version.

    A fine-tuned version is trusted where the version it came from is: the same scripts made it in this run.
    """
    job = candidate_job(context, specialist.name, context.folder.path / specialist.script)
    if version == 0:
        return job
    return Job(**{**vars(job), "version": version, "model": context.folder.model(specialist.name, version)})


def is_trusted(attempt: Path, model: DownloadedModel, trusted_weights: frozenset[str]) -> bool:
    """Return whether there is nothing untrusted to contain.

    True only where every script, the test included, is byte for byte what this package's templates render from their
    defaults and JSON-escaped data, and every weight has a sha256 that the package's starter hub builds.
    """
    weights = [sha256 for file, sha256 in model.sha256.items() if file.endswith(".safetensors")]
    if not weights or not trusted_weights.issuperset(weights):
        return False
    made = read_record(attempt / "attempt.json", Attempt)
    scripts = {name: (attempt / name).read_text(encoding="utf-8") for name in made.template_hashes}
    return are_default_scripts(scripts, made.parts.label_map.classes, made.rows)


def check_sandbox(context: RunContext, result: RunResult, doing: str) -> None:
    """Raise SandboxError where it was the sandbox that failed, and not the program in it."""
    if result.cause == "infra":
        raise SandboxError(
            f"the {context.sandbox.name} sandbox failed {doing}: {result.detail}",
            next_step=f"See `autoannotator doctor`, then `autoannotator resume {context.folder.path}`.",
        )
