"""The agents' tests speak to a scripted server on loopback through the real client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agents.asking import Asker
from agents.llm import LangChainChat, make_chat_model
from agents.target import describe_llm
from records.ledger import Ledger
from tests.llm_server import LLMServer, Script, serving

Connect = Callable[..., tuple[Asker, LLMServer]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def connect(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that starts a server with a script and returns an asker that speaks to it."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as stack:

        def connect(script: Script, *, timeout: float = 10.0, max_retries: int = 2) -> tuple[Asker, LLMServer]:
            server = stack.enter_context(serving(script))
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            target = describe_llm("openai:test-model")
            assert target is not None
            model = make_chat_model(target, timeout=timeout, max_retries=max_retries)
            return Asker(LangChainChat(model, target), ledger), server

        yield connect
