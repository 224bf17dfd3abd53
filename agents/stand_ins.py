"""Rules that take a language model's place where the budget pays for no more of it, so that a run ends with labels.

Reviews are not among it: a row whose review cannot be paid keeps its vote.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from agents.analyst_rules import OfflineAnalyst
from agents.base import (
    Analyst,
    Coder,
    Crawl,
    Crawler,
    Critic,
    Failure,
    HubTools,
    ModelCases,
    ScriptParts,
    Selection,
    Selector,
    TaskRequest,
    Team,
    TestWriter,
    Verdict,
)
from agents.coder import OfflineCoder
from agents.crawler import OfflineCrawler
from agents.critic import OfflineCritic
from agents.selector_rules import OfflineSelector
from agents.test_writer import OfflineTestWriter
from records.candidate import Candidate, Filters
from records.errors import BudgetReachedError
from records.task import TaskSpec

T = TypeVar("T")


def let_rules_stand_in(team: Team, select_threshold: float, notice: Callable[[str], None]) -> Team:
    """Return the team, whose roles before the first stage are taken by rules where the budget ends; `notice` hears of
    each that is, once."""
    spent = _Spent(notice)
    return replace(
        team,
        analyst=_Analyst(team.analyst, OfflineAnalyst(), spent),
        crawler=_Crawler(team.crawler, OfflineCrawler(), spent),
        selector=_Selector(team.selector, OfflineSelector(select_threshold), spent),
        coder=_Coder(team.coder, OfflineCoder(), spent),
        test_writer=_TestWriter(team.test_writer, OfflineTestWriter(), spent),
        critic=_Critic(team.critic, OfflineCritic(), spent),
    )


@dataclass
class _Spent:
    notice: Callable[[str], None]
    told: set[str] = field(default_factory=set)

    def or_rules(self, role: str, paid: Callable[[], T], rules: Callable[[], T]) -> T:
        """Return what is paid for, else what the rules make of it."""
        try:
            return paid()
        except BudgetReachedError as error:
            if role not in self.told:
                self.told.add(role)
                self.notice(f"Rules take the {role}'s place from here on: {error.what}.")
            return rules()


@dataclass(frozen=True)
class _Analyst:
    llm: Analyst
    rules: Analyst
    spent: _Spent

    def analyse(self, request: TaskRequest) -> TaskSpec:
        return self.spent.or_rules("analyst", lambda: self.llm.analyse(request), lambda: self.rules.analyse(request))


@dataclass(frozen=True)
class _Crawler:
    llm: Crawler
    rules: Crawler
    spent: _Spent

    def crawl(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int) -> Crawl:
        before = tools.requests
        return self.spent.or_rules(
            "crawler",
            lambda: self.llm.crawl(task, tools, filters, budget),
            lambda: self.rules.crawl(task, tools, filters, budget - (tools.requests - before)),
        )


@dataclass(frozen=True)
class _Selector:
    llm: Selector
    rules: Selector
    spent: _Spent

    def select(
        self, task: TaskSpec, candidates: Sequence[Candidate], keep: int, filters: Filters
    ) -> tuple[Selection, ...]:
        return self.spent.or_rules(
            "selector",
            lambda: self.llm.select(task, candidates, keep, filters),
            lambda: self.rules.select(task, candidates, keep, filters),
        )


@dataclass(frozen=True)
class _Coder:
    llm: Coder
    rules: Coder
    spent: _Spent

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        return self.spent.or_rules(
            "coder",
            lambda: self.llm.write_parts(task, candidate, failures),
            lambda: self._fill_template(task, candidate, failures),
        )

    def _fill_template(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the template's defaults, where they have not failed yet."""
        plain = self.rules.write_parts(task, candidate, ())
        return None if plain in [one.parts for one in failures] else plain


@dataclass(frozen=True)
class _TestWriter:
    llm: TestWriter
    rules: TestWriter
    spent: _Spent

    def write_cases(self, task: TaskSpec, candidate: Candidate) -> ModelCases:
        return self.spent.or_rules(
            "test writer",
            lambda: self.llm.write_cases(task, candidate),
            lambda: self.rules.write_cases(task, candidate),
        )


@dataclass(frozen=True)
class _Critic:
    llm: Critic
    rules: Critic
    spent: _Spent

    def criticise(
        self, task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
    ) -> Verdict:
        return self.spent.or_rules(
            "script critic",
            lambda: self.llm.criticise(task, candidate, parts, script, passed=passed, output=output),
            lambda: self.rules.criticise(task, candidate, parts, script, passed=passed, output=output),
        )
