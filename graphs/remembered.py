"""What the Hub answered while models were searched: a search that was cut off goes on where it was, with the requests
that are left of it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from agents.base import HubTools
from records.base import Record
from records.candidate import Candidate, Relation
from records.folder import read_record, write_json


class Remembered(Record):
    """What one act showed, and its requests; `done` is false where the Hub failed in the middle of it."""

    found: tuple[Candidate, ...] = ()
    requests: int = Field(ge=0)
    done: bool


class RememberedHub:
    """A Hub whose answers are kept in `folder`: no act that was done is done again, and the requests of all attempts
    count."""

    def __init__(self, hub: HubTools, folder: Path) -> None:
        self._hub = hub
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._earlier = {path.name: read_record(path, Remembered) for path in folder.glob("*.json")}
        self._made = sum(one.requests for one in self._earlier.values())
        self._replayed = 0
        self._before = hub.requests

    @property
    def requests(self) -> int:
        """How many requests the acts so far took, in whichever attempt they were made."""
        return self._replayed + self._hub.requests - self._before

    @contextmanager
    def allow(self, requests: int) -> Iterator[None]:
        """Let at most so many requests be made in all attempts together; see `HubTools.allow`."""
        with self._hub.allow(max(requests - self._made, 0)):
            yield

    def search(self, query: str, limit: int, tag: str | None = None) -> tuple[Candidate, ...]:
        """Return what a search finds; see `HubTools.search`."""
        return self._recall(["search", query, limit, tag], lambda: self._hub.search(query, limit, tag))

    def expand(self, candidate: Candidate, along: Relation, limit: int) -> tuple[Candidate, ...]:
        """Return what a link leads to; see `HubTools.expand`."""
        key = ["expand", candidate.repo_id, along, limit]
        return self._recall(key, lambda: self._hub.expand(candidate, along, limit))

    def read(self, candidate: Candidate) -> Candidate | None:
        """Return a listed model as it was read; see `HubTools.read`."""

        def read() -> tuple[Candidate, ...]:
            found = self._hub.read(candidate)
            return () if found is None else (found,)

        return next(iter(self._recall(["read", candidate.repo_id, candidate.revision], read)), None)

    def _recall(self, key: list[str | int | None], act: Callable[[], tuple[Candidate, ...]]) -> tuple[Candidate, ...]:
        name = f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.json"
        known = self._earlier.pop(name, Remembered(requests=0, done=False))
        self._replayed += known.requests
        if known.done:
            return known.found
        before, found, done = self._hub.requests, tuple[Candidate, ...](), False
        try:
            found = act()
            done = True
        finally:
            made = known.requests + self._hub.requests - before
            write_json(self._folder / name, Remembered(found=found, requests=made, done=done))
        return found
