"""Brings the agents of a run together."""

from agents.analyst import LLMAnalyst
from agents.analyst_rules import OfflineAnalyst
from agents.asking import Asker
from agents.base import Team
from agents.coder import LLMCoder, OfflineCoder
from agents.critic import LLMCritic, OfflineCritic
from agents.result_critic import LLMResultCritic, OfflineResultCritic
from agents.reviewer import LLMReviewer, OfflineReviewer, ReviewManner
from agents.selector import LLMSelector, OfflineSelector
from agents.target import LLMTarget, describe_llm
from agents.test_writer import LLMTestWriter, OfflineTestWriter
from records.ledger import Ledger


def make_team(llm: str, ledger: Ledger, *, manner: ReviewManner | None = None, concurrency: int = 2) -> Team:
    """Return the agents for `--llm`: `offline`, or `openai:MODEL`. Nothing is sent yet.

    Raises SettingsError where `llm` is neither, or its key is missing.
    """
    target = describe_llm(llm)
    if target is None:
        return Team(
            analyst=OfflineAnalyst(),
            selector=OfflineSelector(),
            coder=OfflineCoder(),
            test_writer=OfflineTestWriter(),
            critic=OfflineCritic(),
            reviewer=OfflineReviewer(),
            result_critic=OfflineResultCritic(),
            description="offline: no language model",
        )
    asker = make_asker(target, ledger)
    return Team(
        analyst=LLMAnalyst(asker),
        selector=LLMSelector(asker),
        coder=LLMCoder(asker),
        test_writer=LLMTestWriter(asker),
        critic=LLMCritic(asker),
        reviewer=LLMReviewer(asker, manner or ReviewManner(), concurrency=concurrency),
        result_critic=LLMResultCritic(asker),
        description=f"{target.model} at {target.host}",
    )


def make_asker(target: LLMTarget, ledger: Ledger) -> Asker:
    """Return what asks the model. Raises SettingsError where its key is missing."""
    from agents.llm import LangChainChat, make_chat_model  # noqa: PLC0415 (takes seconds, and offline does without)

    return Asker(LangChainChat(make_chat_model(target), target), ledger)
