"""Prices: the settings' before the library's, and never zero where nothing is known."""

import socket

import pytest

from agents.prices import price_request
from agents.target import LLMTarget

PUBLIC = LLMTarget(model="gpt-4o-mini", base_url="https://api.openai.com/v1")
OWN = LLMTarget(model="gpt-4o-mini", base_url="http://localhost:8000/v1")


def test_the_library_knows_the_price_of_a_public_model_and_asks_nobody(monkeypatch) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"nothing may be sent, and {address} was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert price_request(PUBLIC, 1_000_000, 0, None) == pytest.approx(0.15, rel=0.9)
    assert price_request(PUBLIC, 0, 1_000_000, None) == pytest.approx(0.6, rel=0.9)


@pytest.mark.parametrize("target", [OWN, PUBLIC.model_copy(update={"model": "a-model-of-nobody"})])
def test_an_unknown_price_is_not_zero(target: LLMTarget) -> None:
    assert price_request(target, 10, 10, None) is None


@pytest.mark.parametrize("target", [OWN, PUBLIC])
def test_the_settings_go_first(target: LLMTarget) -> None:
    assert price_request(target, 1_000_000, 500_000, (2.0, 4.0)) == 4.0
    assert price_request(target, 10, 10, (0.0, 0.0)) == 0.0


def test_without_counted_tokens_no_price_is_known() -> None:
    assert price_request(PUBLIC, None, None, None) is None
    assert price_request(OWN, None, 3, (0.0, 0.0)) is None
