"""The agents of a run whose models are pinned by a lock: nothing is searched, selected or written anew."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from agents.base import Failure, HubTools, ScriptParts, Team
from agents.critic import OfflineCritic
from agents.script_checks import check_script
from agents.test_writer import OfflineTestWriter
from records.candidate import Candidate, Crawl, CrawlStep, Filters, ModelsLock, Selection, Specialist
from records.errors import SettingsError
from records.task import TaskSpec
from templates.renderer import Hyperparameters, render_annotate


def pin_team(team: Team, lock: ModelsLock) -> Team:
    """Return the team with the models and scripts of a lock. Its scripts are tested and checked by rule as any."""
    return replace(
        team,
        crawler=LockedCrawler(lock),
        selector=LockedSelector(),
        coder=LockedCoder(lock),
        test_writer=OfflineTestWriter(),
        critic=OfflineCritic(),
    )


class LockedCrawler:
    """Finds the models of the lock, and asks the Hub nothing."""

    def __init__(self, lock: ModelsLock) -> None:
        self._lock = lock

    def crawl(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int) -> Crawl:
        """Return the models of the lock at their commits."""
        candidates = tuple(map(_describe, self._lock.specialists))
        return Crawl(candidates=candidates, steps=(CrawlStep(action="stop", reason="the lock names the models"),))


class LockedSelector:
    """Keeps every model of the lock."""

    def select(
        self, task: TaskSpec, candidates: Sequence[Candidate], keep: int, filters: Filters
    ) -> tuple[Selection, ...]:
        """Return the candidates in their order, all of them kept."""
        return tuple(
            Selection(repo_id=one.repo_id, revision=one.revision, score=1.0, reason="pinned by the lock", kept=True)
            for one in candidates
        )


class LockedCoder:
    """Writes the scripts that the lock pins. It has nothing to try after a failure."""

    def __init__(self, lock: ModelsLock) -> None:
        self._specialists = {one.repo_id: one for one in lock.specialists}

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts of the lock; None after a failure. Raises SettingsError as `read_parts` does."""
        return None if failures else read_parts(self._specialists[candidate.repo_id])


def read_parts(pinned: Specialist) -> ScriptParts:
    """Return what the scripts of a specialist of a lock are rendered from.

    Raises SettingsError where that is code which no script may hold: a lock may come from anywhere, and a script is run
    when it is tested.
    """
    source = pinned.source
    try:
        figures = None if source.hyperparameters is None else Hyperparameters.model_validate(source.hyperparameters)
    except ValidationError as error:
        mistakes = [f"hyperparameters: {one['msg']}" for one in error.errors(include_input=False)]
        raise _refuse(pinned, mistakes) from error
    preprocess, read_logits = source.preprocess, source.read_logits
    rendered = render_annotate(pinned.label_map.classes, preprocess=preprocess, read_logits=read_logits)
    script = rendered.text if source.script is None else source.script
    if problems := check_script(script, whole=source.script is not None):
        raise _refuse(pinned, problems)
    return ScriptParts(
        label_map=pinned.label_map,
        preprocess=preprocess,
        read_logits=read_logits,
        script=source.script,
        hyperparameters=figures,
        reason="as the lock pins it",
    )


def _refuse(pinned: Specialist, problems: Sequence[str]) -> SettingsError:
    return SettingsError(
        f"the script that the lock pins for {pinned.repo_id} may not be run: {'; '.join(problems)}",
        next_step="Give the models.lock.json of a run of this version, as it was written.",
    )


def _describe(one: Specialist) -> Candidate:
    return Candidate(
        repo_id=one.repo_id,
        revision=one.revision,
        pipeline_tag="text-classification",
        id2label=one.id2label,
        parameters=one.parameters or None,
        files=one.files,
        source="lock",
    )
