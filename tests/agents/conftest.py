"""The agents' tests speak to a scripted server on loopback through the real client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agents.asking import Asker
from agents.target import Terms, describe_llm
from agents.team import make_asker
from records.ledger import Ledger
from tests.llm_server import LLMServer, Script, serving

QUICK = {"timeout": 10.0, "first_wait": 0.01, "first_pause": 0.05, "patience": 1.0}
Connect = Callable[..., tuple[Asker, LLMServer]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def connect(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that starts a server with a script and returns an asker that speaks to it, on quick terms."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as stack:

        def connect(
            script: Script,
            *,
            tell: Callable[[float, str], None] = lambda seconds, reason: None,
            logprobs: Callable[[str], float] | None = None,
            **terms: Any,
        ) -> tuple[Asker, LLMServer]:
            server = stack.enter_context(serving(script, logprobs=logprobs))
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            target = describe_llm("openai:test-model")
            assert target is not None
            return make_asker(target, ledger, Terms(**{**QUICK, **terms}), tell), server

        yield connect
