"""Brings the agents of a run together."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.analyst import LLMAnalyst
from agents.analyst_rules import OfflineAnalyst
from agents.asking import Asker
from agents.base import Team
from agents.coder import LLMCoder, OfflineCoder
from agents.crawler import LLMCrawler, OfflineCrawler
from agents.critic import LLMCritic, OfflineCritic
from agents.result_critic import LLMResultCritic, OfflineResultCritic
from agents.reviewer import LLMReviewer, OfflineReviewer, ReviewManner
from agents.selector import LLMSelector
from agents.selector_rules import OfflineSelector
from agents.stand_ins import let_rules_stand_in
from agents.target import LLMTarget, Terms, describe_llm
from agents.test_writer import LLMTestWriter, OfflineTestWriter
from records.ledger import Ledger

if TYPE_CHECKING:
    from agents.batching import EndpointBatches

DEFAULT_TERMS = Terms()


def make_team(
    llm: str,
    ledger: Ledger,
    *,
    manner: ReviewManner | None = None,
    terms: Terms = DEFAULT_TERMS,
    select_threshold: float = 0.2,
    tell: Callable[[float, str], None] = lambda seconds, reason: None,
    notice: Callable[[str], None] = lambda message: None,
) -> Team:
    """Return the agents for `--llm`: `offline`, or `openai:MODEL`. Nothing is sent yet. Under a budget rules take the
    place of the roles before the first stage where it ends.

    `select_threshold`: a candidate with a lower score of the selector's is not kept.
    `tell` hears of every pause of the endpoint, its seconds and the reason, and `notice` of every role that rules take.

    Raises SettingsError where `llm` is neither, or its key is missing.
    """
    target = describe_llm(llm)
    if target is None:
        return Team(
            analyst=OfflineAnalyst(),
            crawler=OfflineCrawler(),
            selector=OfflineSelector(select_threshold),
            coder=OfflineCoder(),
            test_writer=OfflineTestWriter(),
            critic=OfflineCritic(),
            reviewer=OfflineReviewer(),
            result_critic=OfflineResultCritic(),
            description="offline: no language model",
        )
    asker = make_asker(target, ledger, terms, tell)
    desk = make_desk(asker, ledger) if terms.batch_api else None
    team = Team(
        analyst=LLMAnalyst(asker),
        crawler=LLMCrawler(asker),
        selector=LLMSelector(asker, select_threshold),
        coder=LLMCoder(asker),
        test_writer=LLMTestWriter(asker),
        critic=LLMCritic(asker),
        reviewer=LLMReviewer(asker, manner or ReviewManner(), concurrency=terms.concurrency, desk=desk),
        result_critic=LLMResultCritic(asker),
        description=f"{target.model} at {target.host}",
        check=desk.check if desk else lambda: None,
    )
    return team if terms.budget is None else let_rules_stand_in(team, select_threshold, notice)


def make_asker(
    target: LLMTarget,
    ledger: Ledger,
    terms: Terms = DEFAULT_TERMS,
    tell: Callable[[float, str], None] = lambda seconds, reason: None,
) -> Asker:
    """Return what asks the model. Raises SettingsError where its key is missing."""
    from agents.llm import EndpointChat  # noqa: PLC0415 (takes seconds, and offline does without)

    return Asker(EndpointChat(target, ledger, terms, tell), ledger)


def make_desk(asker: Asker, ledger: Ledger) -> "EndpointBatches":
    """Return what has requests of an asker answered in its endpoint's batches."""
    from agents.batching import EndpointBatches  # noqa: PLC0415 (takes seconds, and offline does without)

    return EndpointBatches(asker, ledger)
