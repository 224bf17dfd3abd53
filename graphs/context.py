"""What the nodes of a run work with. The front door makes it; nothing in it is part of the checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.base import Team
from graphs.engine import Engine
from hub.client import HubClient
from records.candidate import ModelsLock
from records.errors import RunFolderError
from records.events import Event
from records.folder import RunFolder, read_record
from records.ledger import Ledger
from records.review_book import ReviewBook
from records.settings import Settings
from records.task import TaskSpec
from sandbox.base import Sandbox


@dataclass(frozen=True)
class RunContext:
    """The parts of one run. `emit` writes an event down and shows it."""

    folder: RunFolder
    settings: Settings
    team: Team
    open_hub: Callable[[], HubClient]
    """Returns the one client of this run; the starter hub is built and served at the first call."""
    trusted_weights: frozenset[str]
    given_lock: ModelsLock | None
    """The lock whose models are used, where the person gave one."""
    sandbox: Sandbox
    engine: Engine
    ledger: Ledger
    reviews: ReviewBook
    emit: Callable[[Event], None]

    @property
    def hub_name(self) -> str:
        """The hub as a person names it."""
        return self.settings.hub or self.open_hub().endpoint

    def read_task(self) -> TaskSpec:
        """Return the resolved task. Raises RunFolderError where it has not been resolved yet."""
        if not self.folder.task.exists():
            raise RunFolderError(f"{self.folder.path} has no task.yaml", next_step="Start a new run.")
        return read_record(self.folder.task, TaskSpec)
