"""A Hub in memory with the tools of a crawler: it lists, links, reads and counts requests as a real one does."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from records.candidate import Candidate, FileFacts, Relation
from tests.agents.builders import make_candidate

COSTS: dict[str, int] = {"search": 1, "expand": 1, "collection": 2, "read": 3}
HIDDEN = {"id2label": {}, "max_length": None, "files": (), "own_code": False, "card": "", "read": False}


class CandidateHub:
    """Models by name. `collections` are sets of names that belong together; `vanished` ones are listed and cannot be
    read."""

    def __init__(
        self, models: Iterable[Candidate], collections: Iterable[set[str]] = (), vanished: Iterable[str] = ()
    ) -> None:
        self.models = {one.repo_id: one for one in models}
        self.collections = tuple(collections)
        self.vanished = frozenset(vanished)
        self.requests = 0
        self.log: list[tuple[str, str]] = []

    @contextmanager
    def allow(self, requests: int) -> Iterator[None]:
        self._most = self.requests + requests
        yield

    def search(self, query: str, limit: int, tag: str | None = None) -> tuple[Candidate, ...]:
        self._count("search", query)
        words = query.casefold().split()
        return self._list(
            limit,
            lambda one: (
                all(word in one.repo_id.casefold() for word in words)
                and (tag is None or tag in (*one.tags, *one.languages, *(f"dataset:{name}" for name in one.datasets)))
            ),
        )

    def expand(self, candidate: Candidate, along: Relation, limit: int) -> tuple[Candidate, ...]:
        self._count("collection" if along == "collection" else "expand", candidate.repo_id)
        owner = candidate.repo_id.partition("/")[0]
        together = set().union(*(names for names in self.collections if candidate.repo_id in names))
        links = {
            "base_model": lambda one: bool(candidate.base_model) and one.base_model == candidate.base_model,
            "finetunes": lambda one: one.base_model == candidate.repo_id,
            "datasets": lambda one: bool(set(one.datasets) & set(candidate.datasets)),
            "author": lambda one: one.repo_id.startswith(f"{owner}/"),
            "collection": lambda one: one.repo_id in together,
            "tags": lambda one: bool(set(one.tags) & set(candidate.tags)),
        }
        return self._list(limit, links[along])

    def read(self, candidate: Candidate) -> Candidate | None:
        self._count("read", candidate.repo_id)
        return None if candidate.repo_id in self.vanished else self.models[candidate.repo_id]

    def _list(self, limit: int, wanted) -> tuple[Candidate, ...]:
        found = sorted(filter(wanted, self.models.values()), key=lambda one: (-one.downloads, one.repo_id))
        listed = (one for one in found if one.pipeline_tag == "text-classification")
        return tuple(one.model_copy(update=HIDDEN) for one in listed)[:limit]

    def _count(self, act: str, what: str) -> None:
        self.requests += COSTS[act]
        assert self.requests <= self._most
        self.log.append((act, what))


def make_model(name: str, classes: str, **facts) -> Candidate:
    """Return a model as a Hub would describe it: `classes` are names between commas."""
    weights = FileFacts(path="model.safetensors", size=4 * 10**8, sha256=hashlib.sha256(name.encode()).hexdigest())
    defaults = {
        "architecture": "BertForSequenceClassification",
        "model_type": "bert",
        "languages": ("en",),
        "licence": "apache-2.0",
        "parameters": 110_000_000,
        "downloads": 1000,
        "tags": ("transformers", "safetensors", "text-classification"),
        "card": f"# {name.partition('/')[2]}\n" + "A model that was fine-tuned on texts of its kind. " * 12,
        "created": "2022-03-01T00:00:00.000Z",
        "modified": "2023-03-01T00:00:00.000Z",
        "files": (FileFacts(path="config.json", size=900), weights),
    }
    return make_candidate(name, tuple(part.strip() for part in classes.split(",")), **{**defaults, **facts})
