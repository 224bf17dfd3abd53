"""Asks a chat model, and never twice: every raw reply is in the ledger before it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from agents.prompting import Prompt, render_again, shorten
from agents.replies import strip_thinking
from records.base import Record
from records.errors import ReplyError
from records.ledger import Ledger, hash_request

T = TypeVar("T")
ATTEMPTS = 3
"""The first reply, and two more where it cannot be used."""


class Message(Record):
    role: Literal["system", "user", "assistant"]
    content: str


class Completion(Record):
    """A reply as it came. `tokens_in` and `tokens_out` are as the endpoint counts them, 0 where it does not."""

    text: str
    tokens_in: int
    tokens_out: int


class ChatModel(Protocol):
    @property
    def name(self) -> str: ...

    def complete(self, messages: tuple[Message, ...], schema: dict[str, Any] | None) -> Completion:
        """Return the reply; with a JSON schema the endpoint is asked to keep to it, as far as it can.

        Raises LLMUnreachableError, or ReplyError where the endpoint refuses this one request.
        """
        ...


class TokenLogprob(Record):
    """A token of a reply, as text, and the natural logarithm of its probability."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What was read from a reply, and the reply itself; `tokens` is empty where the endpoint gives none."""

    value: T
    raw: str
    tokens: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Asker:
    """A chat model and the ledger that remembers what it said."""

    chat: ChatModel
    ledger: Ledger

    def ask(
        self,
        prompt: Prompt,
        read: Callable[[str], T],
        schema: dict[str, Any] | None = None,
        *,
        logprobs: bool = False,
    ) -> Reply[T]:
        """Return what `read` makes of the reply, without its think blocks; where it raises ValueError, ask again
        with that error, twice at most.

        Raises ReplyError where no reply could be used, and LLMUnreachableError.
        """
        messages = (Message(role="system", content=prompt.system), Message(role="user", content=prompt.request))
        problem = ""
        for _ in range(ATTEMPTS):
            raw = self._answer(prompt, messages, schema)
            reply = strip_thinking(raw)
            try:
                return Reply(read(reply), raw)
            except ValueError as error:
                problem = str(error)
            said = (Message(role="assistant", content=reply),) if reply else ()
            messages = (*messages, *said, Message(role="user", content=render_again(problem)))
        raise ReplyError(
            f"{self.chat.name} gave the {prompt.role} no usable reply in {ATTEMPTS} attempts: {shorten(problem, 500)}",
            next_step="Its replies are in ledger.sqlite. Try a larger model, or --llm offline.",
        )

    def _answer(self, prompt: Prompt, messages: tuple[Message, ...], schema: dict[str, Any] | None) -> str:
        """Return the recorded reply to these messages, else get and record one."""
        request = {
            "model": self.chat.name,
            "messages": [message.model_dump() for message in messages],
            "schema": schema,
        }
        if (known := self.ledger.find(hash_request(request))) is not None:
            return known.reply
        completion = self.chat.complete(messages, schema)
        answer = self.ledger.record(
            request,
            completion.text,
            role=prompt.role,
            model=self.chat.name,
            prompt_hash=prompt.hash,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
        )
        return answer.reply
