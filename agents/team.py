"""Brings the agents of a run together."""

from agents.analyst import OfflineAnalyst
from agents.base import Team
from agents.coder import OfflineCoder
from agents.critic import OfflineCritic
from agents.reviewer import OfflineReviewer
from agents.selector import OfflineSelector
from records.errors import SettingsError
from records.ledger import Ledger


def make_team(llm: str, ledger: Ledger, *, review_batch: int = 10, concurrency: int = 2) -> Team:
    """Return the agents for `--llm`: `offline`, or `openai:MODEL`."""
    if llm == "offline":
        return Team(
            analyst=OfflineAnalyst(),
            selector=OfflineSelector(),
            coder=OfflineCoder(),
            critic=OfflineCritic(),
            reviewer=OfflineReviewer(),
            description="offline: no language model",
        )
    raise SettingsError(
        f"--llm {llm!r} is not known; allowed are offline and openai:MODEL",
        next_step="Give --llm openai:MODEL, with OPENAI_BASE_URL for a server of your own, or --llm offline.",
    )
