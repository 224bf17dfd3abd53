"""The only maker of chat models, and the only place that knows how their endpoints fail.

Structured output of compatible servers is unreliable, so the format is asked for in three ways, the strictest first,
and what comes back is read as text all the same.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from agents.asking import Completion, Message
from agents.target import LLMTarget, find_api_key
from records.errors import AutoAnnotatorError, LLMUnreachableError, ReplyError

TIMEOUT = 120.0
"""Seconds that an endpoint may stay silent."""
RETRIES = 4
"""How often a request is repeated after a lost connection, 429 or 5xx, with growing pauses."""

_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
_NOT_THE_REQUEST = frozenset({401, 403, 404, 408, 409, 429})
"""Statuses below 500 that are not about what this one request holds."""


def make_chat_model(target: LLMTarget, *, timeout: float = TIMEOUT, max_retries: int = RETRIES) -> BaseChatModel:
    """Return the chat model of `--llm`. Nothing is sent yet, and no trace of what will be goes anywhere else.

    Raises SettingsError where its key is missing.
    """
    os.environ.update(dict.fromkeys(_TRACING, "false"))
    return ChatOpenAI(
        model=target.model,
        base_url=target.base_url,
        api_key=find_api_key(target),  # pyright: ignore[reportArgumentType] (it takes plain text)
        timeout=timeout,
        max_retries=max_retries,
        temperature=0,
        stream_usage=True,
        use_responses_api=False,
    )


@dataclass
class LangChainChat:
    """Any LangChain chat model as a `ChatModel`."""

    model: BaseChatModel
    target: LLMTarget
    _strictness: int = field(default=0, init=False)
    """How many of the stricter formats this endpoint has refused so far."""

    @property
    def name(self) -> str:
        return self.target.model

    def complete(self, messages: tuple[Message, ...], schema: dict[str, Any] | None) -> Completion:
        """Return the reply. Raises LLMUnreachableError, or ReplyError where this one request is refused."""
        chat = [(message.role, message.content) for message in messages]
        formats = list(enumerate(_list_formats(schema)))[self._strictness if schema else 0 :]
        for place, response_format in formats:
            # In the extra body: the client would otherwise parse the reply itself, and lose one that is not JSON.
            model = self.model.bind(extra_body={"response_format": response_format}) if response_format else self.model
            try:
                reply = model.invoke(chat)
            except openai.APIError as error:
                if response_format is not None and _is_refusal(error):
                    continue
                raise _explain(error, self.target) from error
            except (ValueError, TypeError, AttributeError, LookupError) as error:
                # What the client makes of a body that is no chat completion.
                raise _explain(error, self.target) from error
            self._strictness = place if schema else self._strictness
            usage = reply.usage_metadata or {}
            return Completion(
                text=reply.text,
                tokens_in=usage.get("input_tokens", 0),
                tokens_out=usage.get("output_tokens", 0),
            )
        raise AssertionError("the last format asks for nothing and is never refused for its sake")


def _list_formats(schema: dict[str, Any] | None) -> Iterator[dict[str, Any] | None]:
    if schema is not None:
        yield {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
        yield {"type": "json_object"}
    yield None


def _is_refusal(error: openai.APIError) -> bool:
    """Whether the endpoint is well and will not take this one request."""
    return (
        isinstance(error, openai.APIStatusError)
        and error.status_code < 500
        and error.status_code not in _NOT_THE_REQUEST
    )


def _explain(error: Exception, target: LLMTarget) -> AutoAnnotatorError:
    """Return what an endpoint's failure means for the person."""
    host, later = target.host, "Then continue the run with `autoannotator resume`."
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return LLMUnreachableError(
            f"{host} refused the key ({error.status_code})", next_step=f"Set OPENAI_API_KEY to a valid key. {later}"
        )
    if isinstance(error, openai.NotFoundError):
        return LLMUnreachableError(
            f"{host} knows no model {target.model!r}, or {target.base_url} is not its address (404)",
            next_step=f"Check the name in --llm and OPENAI_BASE_URL (most end in /v1). {later}",
        )
    if isinstance(error, openai.APIStatusError) and _is_refusal(error):
        return ReplyError(
            f"{host} refused a request to {target.model} ({error.status_code}): {_shown(error)}",
            next_step="Check that the model takes chat requests and that its context is long enough.",
        )
    if isinstance(error, openai.APITimeoutError):
        what = "did not answer in time"
    elif isinstance(error, openai.APIConnectionError):
        what = "cannot be reached"
    elif isinstance(error, openai.APIStatusError):
        what = f"answered {error.status_code}: {_shown(error)}"
    else:
        what = f"did not answer with a chat completion: {_shown(error)}"
    return LLMUnreachableError(f"{host} {what}", next_step=f"Check that the server runs, or wait. {later}")


def _shown(error: Exception) -> str:
    return str(error).replace("\n", " ")[:300]
