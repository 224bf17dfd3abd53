"""The agents of a run whose models are pinned by a lock: nothing is searched, selected or written anew."""

from collections.abc import Sequence
from dataclasses import replace

from agents.base import Failure, HubTools, ScriptParts, Team
from agents.critic import OfflineCritic
from agents.test_writer import OfflineTestWriter
from records.candidate import Candidate, Crawl, CrawlStep, Filters, ModelsLock, Selection, Specialist
from records.task import TaskSpec
from templates.renderer import Hyperparameters


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
        """Return the parts of the lock; None after a failure."""
        if failures:
            return None
        pinned = self._specialists[candidate.repo_id]
        source = pinned.source
        return ScriptParts(
            label_map=pinned.label_map,
            preprocess=source.preprocess,
            read_logits=source.read_logits,
            script=source.script,
            hyperparameters=None
            if source.hyperparameters is None
            else Hyperparameters.model_validate(source.hyperparameters),
            reason="as the lock pins it",
        )


def _describe(one: Specialist) -> Candidate:
    return Candidate(
        repo_id=one.repo_id,
        revision=one.revision,
        pipeline_tag="text-classification",
        id2label=one.id2label,
        parameters=one.parameters or None,
        files=one.files,
    )
