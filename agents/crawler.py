"""The crawler: finds models for a task on a Hub, by searching, following links from good finds, and reading."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from agents.asking import Asker
from agents.base import HubTools
from agents.crawl_queue import READ_COST, CrawlBook, CrawlLimits, cost_of
from agents.prompting import render_prompt, shorten
from agents.queries import Query, queries_by_rule
from agents.replies import read_json
from agents.selector_rules import Rating
from records.candidate import Crawl, CrawlStep, Filters, Relation
from records.task import TaskSpec, fold

MOST_QUERIES = 6
MOST_ACTS = 4
"""Acts of a language model in one round."""
SHOWN_MODELS = 25
RESERVED_READS = 6
"""Models that can be read whatever a language model does before."""
NO_BUDGET = "no budget is left for it"
_RELATIONS: tuple[Relation, ...] = ("base_model", "finetunes", "datasets", "author", "collection", "tags")


class OfflineCrawler:
    """Crawls by rules, the best model by the selector's rules first; there is no language model in it."""

    def __init__(self, limits: CrawlLimits | None = None) -> None:
        self._limits = limits or CrawlLimits()

    def crawl(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int) -> Crawl:
        """Return the models found for a task within a budget of requests, the promising ones read.

        Raises HubUnreachableError, and RequestsSpentError where the budget was spent before a model was found.
        """
        with tools.allow(budget):
            book = CrawlBook(task, tools, filters, budget, self._limits)
            search_all(book, queries_by_rule(task, filters), budget)
            return work_through(book)


def search_all(book: CrawlBook, queries: Sequence[Query], budget: int) -> None:
    """Make the first searches: so many that most of a small budget, too, is left for reading."""
    book.queries.extend(queries)
    for _ in range(max(1, min(book.limits.searches, budget // 5))):
        if book.queries and book.may_list():
            book.search(book.queries.popleft())


def work_through(book: CrawlBook) -> Crawl:
    """Read the most promising models and follow links from the good ones in turn, until the budget is spent or nothing
    promising is left, and return the crawl.

    Where too few good ones were found by then, the searches that were not made yet follow, and then the other models
    are read.
    """
    while True:
        link = book.find_link() if book.count("expand") < book.limits.expansions else None
        due = book.count("read") >= book.limits.reads_each * (book.count("expand") + 1)
        unread = book.find_unread(book.limits.read_above)
        query = book.take_query() if not (link or unread or book.has_enough()) and book.may_list() else None
        if not (query or link or unread or book.has_enough()):
            unread = book.find_unread(0.0)
        if link and book.may_list(link[1]) and (due or not unread):
            candidate, along = link
            book.expand(candidate, along, f"a good find; its {along.replace('_', ' ')} may lead to more")
        elif unread and book.may_read():
            book.read(unread.candidate)
        elif query:
            book.search(query)
        else:
            spent = bool(unread or link) or not book.left
            told = f"the budget is spent: {book.left} requests are left" if spent else "nothing promising is left"
            book.note(CrawlStep(action="stop", reason=told))
            return book.close()


class _QueriesReply(BaseModel):
    queries: list[str] = Field(min_length=1, json_schema_extra={"maxItems": MOST_QUERIES})
    """Searches beyond the most are passed over; they are no reason to ask again."""


class _ActReply(BaseModel):
    action: Literal["search", "expand", "stop"]
    query: Annotated[str, BeforeValidator(fold)] = ""
    model: int | None = None
    along: Relation | None = None
    reason: Annotated[str, BeforeValidator(fold)] = ""


class _ActsReply(BaseModel):
    acts: list[_ActReply] = Field(min_length=1)


class LLMCrawler:
    """Has a language model write the searches, and then, in at most `rounds` rounds, see what was found and choose the
    next searches and links. What is read is decided by the scores, and the rules spend what it leaves."""

    def __init__(self, asker: Asker, limits: CrawlLimits | None = None, *, rounds: int = 3) -> None:
        self._asker = asker
        self._limits = limits or CrawlLimits()
        self._rounds = rounds

    def crawl(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int) -> Crawl:
        """Return the models found for a task within a budget of requests, the promising ones read.

        Raises HubUnreachableError, RequestsSpentError as the rules do, ReplyError and LLMUnreachableError.
        """
        with tools.allow(budget):
            book = CrawlBook(task, tools, filters, budget, self._limits)
            search_all(book, self.write_queries(task, filters), budget)
            for left in range(self._rounds, 0, -1):
                _read_some(book)
                if _count_spare(book) < 2 or not book.ratings or not self._play_round(task, book, left):
                    break
            return work_through(book)

    def write_queries(self, task: TaskSpec, filters: Filters) -> tuple[Query, ...]:
        """Return the searches for a task, the model's first. Raises ReplyError and LLMUnreachableError."""
        prompt = render_prompt(
            "crawler",
            "queries",
            sentence=task.sentence,
            family=task.family,
            domain=task.domain,
            labels=task.label_names,
            language=task.language,
            most=MOST_QUERIES,
        )
        reader = read_json(_QueriesReply)
        reply = self._asker.ask(prompt, reader, _QueriesReply.model_json_schema(), afresh=True).value
        cleaned = (" ".join(query.split())[:60] for query in reply.queries[:MOST_QUERIES])
        said = [Query(words, None, "the model's search") for words in dict.fromkeys(filter(None, cleaned))]
        known = {query.words.casefold() for query in said}
        rules = (one for one in queries_by_rule(task, filters) if one.tag or one.words.casefold() not in known)
        return (*said, *rules)

    def _play_round(self, task: TaskSpec, book: CrawlBook, rounds: int) -> bool:
        """Carry out what the model chooses; return whether it wants another round."""
        shown = book.ratings[:SHOWN_MODELS]
        prompt = render_prompt(
            "crawler",
            "acts",
            sentence=task.sentence,
            family=task.family,
            domain=task.domain,
            labels=task.label_names,
            language=task.language,
            models=[_show(number, one, book.shown_by[one.candidate.repo_id]) for number, one in enumerate(shown, 1)],
            seen=len(book.ratings),
            done=[_show_step(number, step) for number, step in enumerate(book.listings, 1)],
            relations=_RELATIONS,
            acts=min(MOST_ACTS, _count_spare(book)),
            rounds=rounds,
        )
        reader = read_json(_ActsReply, lambda reply: _find_fault(reply, len(shown)))
        reply = self._asker.ask(prompt, reader, _ActsReply.model_json_schema(), afresh=True).value
        for act in reply.acts[:MOST_ACTS]:
            if act.action == "stop":
                told = f"the model: {shorten(act.reason, 200)}; the rules go on with what is left"
                book.note(CrawlStep(action="stop", reason=told))
                return False
            _carry_out(book, act, shown)
        return True


def _read_some(book: CrawlBook) -> None:
    """Read a few of the best, so that the model sees more than listings."""
    for _ in range(book.limits.reads_each):
        unread = book.find_unread(book.limits.read_above)
        if unread and book.may_read():
            book.read(unread.candidate)


def _count_spare(book: CrawlBook) -> int:
    """Return how many requests are left beside those that are kept for reading at the end."""
    return max(0, book.left - RESERVED_READS * READ_COST)


def _carry_out(book: CrawlBook, act: _ActReply, shown: Sequence[Rating]) -> None:
    """Do what the model chose, or write down why it was not done."""
    reason = f"the model: {shorten(act.reason, 200)}"
    if act.action == "search" or act.model is None or act.along is None:
        _carry_out_search(book, act.query[:60], reason)
        return
    candidate, along = shown[act.model - 1].candidate, act.along
    problem = f"it is {candidate.closed}" if candidate.closed else None
    problem = problem or (None if book.has_link(candidate, along) else "there is no such link left to follow")
    problem = problem or (None if _count_spare(book) >= cost_of(along) else NO_BUDGET)
    if problem:
        told = f"not done, {problem}; {reason}"
        book.note(CrawlStep(action="expand", model=candidate.repo_id, along=along, reason=told))
    else:
        book.expand(candidate, along, reason)


def _carry_out_search(book: CrawlBook, words: str, reason: str) -> None:
    done = {step.query.casefold() for step in book.steps if step.action == "search"}
    problem = "it was made before" if words.casefold() in done else None if _count_spare(book) else NO_BUDGET
    if problem:
        book.note(CrawlStep(action="search", query=words, reason=f"not done, {problem}; {reason}"))
    else:
        book.search(Query(words, None, reason))


def _find_fault(reply: _ActsReply, models: int) -> str | None:
    """Return what is wrong with a reply, in words for the model."""
    faults: list[str] = []
    for place, act in enumerate(reply.acts):
        if act.action == "search" and not act.query:
            faults.append(f"acts.{place}: a search needs its query.")
        if act.action == "expand" and (act.along is None or not 1 <= (act.model or 0) <= models):
            faults.append(f"acts.{place}: name a model by its id, 1 to {models}, and along which link.")
    return "\n".join(faults[:5]) or None


def _show(number: int, rating: Rating, shown_by: int) -> dict[str, object]:
    """Return a model as the crawler is shown it: facts that say where its links may lead."""
    candidate = rating.candidate
    return {
        "id": number,
        "name": candidate.repo_id,
        "score": round(rating.score, 2),
        "classes": [shorten(name, 30) for name in candidate.id2label.values()][:8] if candidate.read else "not read",
        "languages": candidate.languages[:5],
        "trained_on": candidate.datasets[:5],
        "base": candidate.base_model,
        "tags": [tag for tag in candidate.tags if ":" not in tag][:10],
        "downloads": candidate.downloads,
        "shown_by": shown_by,
    }


def _show_step(number: int, step: CrawlStep) -> dict[str, object]:
    what = {"query": step.query} if step.action == "search" else {"model": step.model, "along": step.along}
    return {"act": number, "action": step.action, **what, "found": step.found, "new": step.new}
