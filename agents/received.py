"""Reads what the client makes of an endpoint's answer: text, why it ended, its tokens, how many were counted."""

import math
from typing import Any

from langchain_core.messages import AIMessage

from agents.asking import REFUSAL, Completion, TokenLogprob
from agents.failures import hide_secrets
from agents.prices import Price, price_request
from agents.target import LLMTarget

MOST_TOKENS = 2**40
"""A larger count is none."""
LONGEST_FINISH = 40
"""Characters of the word that says why a reply ended."""


def read_completion(
    reply: AIMessage,
    target: LLMTarget,
    price: Price | None,
    *,
    sampling: str,
    latency: float,
    attempt: int,
    charge: int | None,
    batch: bool = False,
) -> Completion:
    """Return a reply as it came, its secrets hidden, with its price; `batch`: at the price of a batch."""
    tokens_in, tokens_out = _read_usage(reply)
    text, finish, tokens = _read_reply(reply)
    shown = hide_secrets(text, target)
    return Completion(
        text=shown,
        finish=hide_secrets(finish, target)[:LONGEST_FINISH],
        tokens=tokens if "".join(token.text for token in tokens) == shown else (),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd=price_request(target, tokens_in, tokens_out, price, batch=batch),
        sampling=sampling,
        latency=latency,
        attempt=attempt,
        charge=charge,
    )


def read_body(body: Any) -> AIMessage | None:  # noqa: ANN401 (whatever a batch's file holds)
    """Return the reply of a chat completion's body; None where it is none."""
    try:
        choice = body["choices"][0]
        message, usage = choice["message"], body.get("usage") or {}
        counted = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
        reply = AIMessage(
            content=message.get("content") or "",
            additional_kwargs={"refusal": message.get("refusal")},
            response_metadata={"finish_reason": choice.get("finish_reason"), "logprobs": choice.get("logprobs")},
        )
    except (LookupError, TypeError, AttributeError, ValueError):
        return None
    # Set afterwards: counts that are no numbers are read as none, and must not cost the reply.
    reply.usage_metadata = counted  # pyright: ignore[reportAttributeAccessIssue]
    return reply


def _read_reply(reply: AIMessage) -> tuple[str, str, tuple[TokenLogprob, ...]]:
    """Return the text, why it ended, and its tokens."""
    metadata = reply.response_metadata
    finish = str(metadata.get("finish_reason") or "")
    refusal = reply.additional_kwargs.get("refusal")
    if refusal or finish == "content_filter":
        return str(refusal or reply.text), REFUSAL, ()
    return str(reply.text), finish, read_tokens(metadata.get("logprobs"))


def _read_usage(reply: AIMessage) -> tuple[int | None, int | None]:
    """Return the tokens read and written as the endpoint counts them; None for both where it does not, or not in
    numbers that can be."""
    usage = dict(reply.usage_metadata or {})
    tokens_in, tokens_out = usage.get("input_tokens"), usage.get("output_tokens", 0)
    if not (isinstance(tokens_in, int) and isinstance(tokens_out, int)):
        return None, None
    return (tokens_in, tokens_out) if 0 < tokens_in < MOST_TOKENS and 0 <= tokens_out < MOST_TOKENS else (None, None)


def read_tokens(logprobs: object) -> tuple[TokenLogprob, ...]:
    """Return the tokens; those that hold parts of one character are put together: the texts join to the reply.

    An endpoint whose tokens cannot be read has none: the reply stands without them.
    """
    try:
        return _join_tokens(logprobs["content"] or [])  # pyright: ignore[reportIndexIssue] (whatever was sent)
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()


def _join_tokens(entries: list[dict[str, Any]]) -> tuple[TokenLogprob, ...]:
    tokens: list[TokenLogprob] = []
    held, logprob = b"", 0.0
    for entry in entries:
        data = entry.get("bytes")
        held += bytes(data) if data is not None else str(entry["token"]).encode("utf-8", "replace")
        logprob += float(entry["logprob"])
        if not math.isfinite(logprob):
            return ()
        try:
            text = held.decode()
        except UnicodeDecodeError:
            continue
        tokens.append(TokenLogprob(text=text, logprob=logprob))
        held, logprob = b"", 0.0
    return tuple(tokens)
