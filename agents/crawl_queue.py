"""The book of a crawl: what was seen, how each model scores by rule, what was done, and what is left of the budget."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agents.base import HubTools
from agents.evidence import speaks
from agents.lexicon import family_of, normalise_name
from agents.queries import Query
from agents.selector_rules import Rating, rate_candidate
from agents.words import name_words
from hub.links import choose_filters, find_base
from records.candidate import Candidate, Crawl, CrawlStep, Filters, Relation
from records.errors import HubStatusError, RequestsSpentError
from records.task import TaskSpec

READ_COST = 3
"""Requests that reading a model takes at most."""
LINK_COST: dict[Relation, int] = {"base_model": 2, "collection": 2}
"""Requests that following such a link takes; every other link, and a search, takes one."""
PROMISE: dict[Relation, float] = {
    "datasets": 1.0, "author": 0.8, "finetunes": 0.5, "tags": 0.4, "base_model": 0.3, "collection": 0.3,
}  # fmt: skip
"""How likely a link leads from a good model to others, before it was tried."""
SAME_DATA = 0.4
"""Of a good model's score, what speaks for one that was taught with the same data, or is named with a word of its
name, and of which nothing else tells."""
_LEARNED = "a word of the good find"
MOST_FAILURES = 3
"""Acts that the Hub may answer with an error, once models were seen: a link or a search that it cannot do is no reason
to lose the rest, and a Hub that fails so often is one that fails."""
SAME_AUTHOR = 0.9
"""How a model's place in the queue falls with each model of its author that was read: others may know other things."""


@dataclass(frozen=True)
class CrawlLimits:
    """How a crawl spends its budget. `searches` is for a budget of 56 requests, and smaller for a smaller one."""

    searches: int = 8
    expansions: int = 5
    found: int = 40
    """Models that one search or one link is asked for."""
    read_above: float = 0.2
    """The score from which on a listed model is worth reading."""
    expand_above: float = 0.5
    """The score from which on a model is a good find, and its links are followed."""
    hope_above: float = 0.3
    """The score from which on links are followed while there are too few good finds."""
    learned: int = 8
    """Searches for words of good finds."""
    enough: int = 6
    """Good finds with which the crawl ends where nothing promising is left; with fewer it goes on with what is not."""
    reads_each: int = 2
    """Models that are read before the next link is followed."""


class CrawlBook:
    """Acts on a Hub within a budget and writes every act down. A model is seen once, and gated, private and disabled
    ones are kept and never followed."""

    def __init__(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int, limits: CrawlLimits) -> None:
        self.limits = limits
        self._task = task
        self._tools = tools
        self._filters = filters
        self._budget = budget
        self._before = tools.requests
        self._ratings: dict[str, Rating] = {}
        self._kin: dict[str, float] = {}
        """What speaks for a model because of the one that a link led to it from."""
        self.shown_by: dict[str, int] = {}
        """Model → the number of the search or link, from 1, that first showed it."""
        self._gone: set[str] = set()
        self._followed: set[tuple[str, str]] = set()
        self._tries: Counter[Relation] = Counter()
        self._gains: Counter[Relation] = Counter()
        self._searched: set[str] = set()
        self.queries: deque[Query] = deque()
        """Searches that are not made yet, the best first."""
        self.steps: list[CrawlStep] = []
        self._cut_short: RequestsSpentError | None = None
        self._failures = 0

    @property
    def left(self) -> int:
        """Requests that may still be made."""
        return self._budget - (self._tools.requests - self._before)

    @property
    def listings(self) -> tuple[CrawlStep, ...]:
        """The searches and links that were made or refused so far."""
        return tuple(step for step in self.steps if step.action in ("search", "expand"))

    @property
    def ratings(self) -> tuple[Rating, ...]:
        """All models seen, the best first."""
        return tuple(sorted(self._ratings.values(), key=lambda one: (-one.score, one.candidate.repo_id)))

    def may_read(self) -> bool:
        """Return whether the budget allows to read a model."""
        return self.left >= READ_COST

    def may_list(self, along: Relation | None = None) -> bool:
        """Return whether the budget allows to follow a link, or (None) to search."""
        return self.left >= cost_of(along)

    def count(self, act: str) -> int:
        """Return how often something was done."""
        return sum(step.action == act and step.requests > 0 for step in self.steps)

    def search(self, query: Query) -> None:
        """List the models that a search finds."""
        told = f"{query.reason} (tag {query.tag})" if query.tag else query.reason
        step = CrawlStep(action="search", query=query.words, reason=told)
        self._searched.add(query.words.casefold())
        self._list(step, lambda: self._tools.search(query.words, self.limits.found, query.tag), query.kin)

    def take_query(self) -> Query | None:
        """Return the next search: for a word of a good find, as others like it may be called so too, else the best of
        those that are waiting; None where there is none left."""
        learned = sum(bool(step.reason.startswith(_LEARNED)) for step in self.steps)
        for one in self._find_good(self.limits.hope_above) if learned < self.limits.learned else ():
            for word in name_words(one.candidate):
                if word not in self._searched:
                    told = f"{_LEARNED} {one.candidate.repo_id}"
                    return Query(word, None, told, kin=SAME_DATA * one.score)
        return self.queries.popleft() if self.queries else None

    def expand(self, candidate: Candidate, along: Relation, reason: str) -> None:
        """List the models that a link of a model leads to."""
        self._followed.add((along, _target_of(candidate, along)))
        step = CrawlStep(action="expand", model=candidate.repo_id, along=along, reason=reason)
        kin = SAME_DATA * self._ratings[candidate.repo_id].score if along == "datasets" else 0.0
        gains = self._list(step, lambda: self._tools.expand(candidate, along, self.limits.found), kin)
        self._tries[along] += 1
        self._gains[along] += gains > 0

    def read(self, candidate: Candidate) -> None:
        """Read a listed model; one that cannot be had stays as it was listed."""
        listed = self._promise_of(self._ratings[candidate.repo_id])
        self._gone.add(candidate.repo_id)
        step = CrawlStep(action="read", model=candidate.repo_id, reason=f"it scores {listed:.2f} by its listing")
        with self._acting(step) as told:
            found = self._tools.read(candidate)
            if found is None:
                told["reason"] = f"{step.reason}; it cannot be had, or is not what the Hub announces"
            else:
                self._rate(found)
                told |= {"found": 1, "reason": f"{step.reason}, {self._ratings[found.repo_id].score:.2f} as read"}

    def has_enough(self) -> bool:
        """Return whether there are as many good finds as are enough."""
        return len(self._find_good(self.limits.expand_above)) >= self.limits.enough

    def find_unread(self, above: float) -> Rating | None:
        """Return the listed model that is most worth reading, or None where none scores so much."""
        read = Counter(_author_of(one.candidate) for one in self._ratings.values() if one.candidate.read)
        waiting = [
            (self._promise_of(one), SAME_AUTHOR ** read[_author_of(one.candidate)], one)
            for one in self.ratings
            if one.serves and not one.candidate.read and one.candidate.repo_id not in self._gone
        ]
        promising = [(score * others, one) for score, others, one in waiting if score >= above]
        return max(promising, key=lambda pair: pair[0])[1] if promising else None

    def find_link(self) -> tuple[Candidate, Relation] | None:
        """Return a good model and the link of it that most likely leads to others, or None where none is left."""
        above = self.limits.expand_above if self.has_enough() else self.limits.hope_above
        links: list[tuple[float, Candidate, Relation]] = [
            (one.score * self._expect(one.candidate, along), one.candidate, along)
            for one in self._find_good(above)
            for along in PROMISE
            if self.has_link(one.candidate, along)
        ]
        if not links:
            return None
        _, candidate, along = max(links, key=lambda link: link[0])
        return candidate, along

    def has_link(self, candidate: Candidate, along: Relation) -> bool:
        """Return whether a model has such a link that was not followed yet, from it or from another model."""
        target = _target_of(candidate, along)
        return bool(target) and (along, target) not in self._followed

    def note(self, step: CrawlStep) -> None:
        """Write down what was not done, or that the crawl is over."""
        self.steps.append(step)

    def close(self) -> Crawl:
        """Return what was seen, in the order of the scores, and what was done.

        Raises RequestsSpentError where the budget was spent before anything was seen.
        """
        if self._cut_short and not self._ratings:
            raise self._cut_short
        return Crawl(candidates=tuple(one.candidate for one in self.ratings), steps=tuple(self.steps))

    def _find_good(self, above: float) -> list[Rating]:
        return [one for one in self.ratings if one.serves and one.candidate.read and one.score >= above]

    def _promise_of(self, rating: Rating) -> float:
        return max(rating.score, self._kin.get(rating.candidate.repo_id, 0.0))

    def _expect(self, candidate: Candidate, along: Relation) -> float:
        """Return how much a link promises, with what the same kind of link has led to before."""
        promise = PROMISE[along]
        family = family_of(self._task)
        if along == "base_model" and family and speaks(normalise_name(find_base(candidate) or ""), family):
            promise = 0.9
        return promise * (1 + self._gains[along]) / (1 + self._tries[along])

    def _list(self, step: CrawlStep, ask: Callable[[], Sequence[Candidate]], kin: float = 0.0) -> int:
        """Write a listing down and return how many new and promising models it showed; `kin` speaks for each."""
        new: list[Candidate] = []
        with self._acting(step) as told:
            found = ask()
            new = [one for one in found if one.repo_id not in self._ratings]
            for candidate in new:
                self.shown_by[candidate.repo_id] = len(self.listings) + 1
                self._rate(candidate)
            for candidate in found:
                self._kin[candidate.repo_id] = max(kin, self._kin.get(candidate.repo_id, 0.0))
            told |= {"found": len(found), "new": len({one.repo_id for one in new})}
        return sum(self._ratings[one.repo_id].score >= self.limits.read_above for one in new)

    def _rate(self, candidate: Candidate) -> None:
        self._ratings[candidate.repo_id] = rate_candidate(self._task, candidate, self._filters, needs_map=False)

    @contextmanager
    def _acting(self, step: CrawlStep) -> Iterator[dict[str, object]]:
        """Write an act down with its requests and with what the block tells of it, or that the budget was spent in the
        middle of it (no further act is possible then), or that the Hub answered it with an error.

        Raises HubStatusError where the Hub does so before any model was seen, or too often.
        """
        before = self._tools.requests
        told: dict[str, object] = {}
        try:
            yield told
        except RequestsSpentError as error:
            self._cut_short = error
            told["reason"] = f"{step.reason}; not finished: {error.what}"
        except HubStatusError as error:
            self._failures += 1
            if not self._ratings or self._failures > MOST_FAILURES:
                raise
            told["reason"] = f"{step.reason}; not done: the Hub answered {error.answer}"
        self.steps.append(step.model_copy(update={**told, "requests": self._tools.requests - before}))


def cost_of(along: Relation | None) -> int:
    """Return the requests that following a link takes, or (None) a search."""
    return LINK_COST.get(along, 1) if along else 1


def _author_of(candidate: Candidate) -> str:
    return candidate.repo_id.rpartition("/")[0]


def _target_of(candidate: Candidate, along: Relation) -> str:
    """Return what a link leads through, the same for two models that lead to the same; empty where there is none."""
    if along == "collection":
        return candidate.repo_id
    return " ".join((choose_filters(candidate, along) or {}).values())
