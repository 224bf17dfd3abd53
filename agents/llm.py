"""The only maker of chat models, and the only place that sends them anything.

Structured output of compatible servers is unreliable, so the format is asked for in three ways, the strictest first,
and what comes back is read as text all the same.
"""

import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import openai
import tenacity
from langchain_openai import ChatOpenAI

from agents.asking import ChatRequest, Completion
from agents.breaker import CircuitBreaker, PassingFailureError
from agents.connection import open_client
from agents.failures import (
    RequestRefusedError,
    RequestTooLongError,
    classify,
    give_up,
    is_uncharged,
)
from agents.forms import Form, choose_form, describe_form, halve, is_settled, learn, step_down
from agents.pacing import Clock, Pace
from agents.prices import price_request
from agents.purse import Hold, bound_prompt, open_purse
from agents.received import read_completion
from agents.target import LLMTarget, Terms, find_api_key
from records.errors import ReplyError
from records.ledger import Capabilities, Ledger, LimitName

TRIES = 5
"""How often a request is sent to an endpoint that has never answered, or that answers others meanwhile."""
BUSY_TRIES = 20
"""The same where it says that it is asked too much: 429."""
LONGEST_WAIT = 30.0
REPLY_TOKENS = 300
"""Tokens of a reply, before it is there."""

_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


def make_chat_model(target: LLMTarget, timeout: float) -> ChatOpenAI:
    """Return the chat model of `--llm`. Nothing is sent yet, and no trace of what will be goes anywhere else.

    It tries once: trying again is for `EndpointChat`. Raises SettingsError where its key is missing.
    """
    os.environ.update(dict.fromkeys(_TRACING, "false"))
    # What it warns of are formats that are not taken; another is tried then.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"langchain_openai\.")
    client = open_client(target, timeout)
    model = ChatOpenAI(
        model=target.model,
        base_url=target.base_url,
        api_key=find_api_key(target),  # pyright: ignore[reportArgumentType] (it takes plain text)
        timeout=timeout,
        http_client=client,
        openai_proxy=None,
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
    )
    weakref.finalize(model, client.close)
    return model


class EndpointChat:
    """A LangChain chat model at an endpoint as a `ChatModel`, for all threads of a run.

    It keeps to the terms, finds out once in which form the endpoint takes requests, tries again where that may help,
    and pauses where the endpoint fails; `tell` hears of pauses (seconds, reason). Every try goes through the purse of
    the terms' budget. Raises SettingsError where there is a budget and no known price.
    """

    def __init__(
        self,
        target: LLMTarget,
        ledger: Ledger,
        terms: Terms,
        tell: Callable[[float, str], None] = lambda seconds, reason: None,
        clock: Clock | None = None,
    ) -> None:
        self.target = target
        self._ledger = ledger
        self.terms = terms
        self.clock = clock or Clock()
        self.tell = tell
        self.purse = open_purse(target, ledger, terms)
        self._model = make_chat_model(target, terms.timeout)
        known = ledger.find_capabilities(self.endpoint, self.name)
        self._known = known or Capabilities()
        self._settling = threading.Lock()
        self._slots = threading.Semaphore(terms.concurrency)
        self._pace = Pace(terms.requests_per_minute, terms.tokens_per_minute, self.clock)
        self._breaker = CircuitBreaker(
            answered=known is not None,
            patience=terms.patience,
            first_pause=terms.first_pause,
            clock=self.clock,
            tell=tell,
        )
        self._growing = tenacity.wait_exponential_jitter(
            multiplier=terms.first_wait, max=LONGEST_WAIT, jitter=terms.first_wait
        )

        self._spread = tenacity.wait_random(0.0, terms.first_wait)  # not all threads come back at once

    @property
    def client(self) -> openai.OpenAI:
        """The client beneath, for what is no chat request."""
        return self._model.root_client

    @property
    def name(self) -> str:
        return self.target.model

    @property
    def endpoint(self) -> str:
        return self.target.endpoint

    def complete(self, request: ChatRequest) -> Completion:
        """Return the reply, its secrets hidden.

        Raises LLMUnreachableError, ReplyError where this one request is refused in every form, or fails again and
        again while others are answered, and BudgetReachedError.
        """
        if not self.is_settled(request):
            with self._settling:  # one thread finds out, the others wait for what it found
                if not self.is_settled(request):
                    return self._negotiate(request)
        return self._negotiate(request)

    def is_settled(self, asked: ChatRequest) -> bool:
        limit = self.purse is not None
        return is_settled(self._known, schema=asked.schema is not None, logprobs=asked.logprobs, limit=limit)

    def _negotiate(self, asked: ChatRequest) -> Completion:
        """Send in the form that is known to be taken, else in laxer and laxer ones; remember what was answered."""
        schema = asked.schema is not None
        form, most = self.choose_form(asked), None
        while True:
            try:
                completion = self._send_until_answered(asked, form)
            except RequestRefusedError as refusal:
                too_long = isinstance(refusal, RequestTooLongError)
                laxer = halve(form) if too_long else step_down(form, str(refusal))
                if laxer is None:
                    raise self._describe_refusal(refusal, too_long=too_long) from refusal
                if laxer.tokens < form.tokens and not too_long:
                    most = laxer.tokens
                form = laxer
                continue
            known = learn(self._known, form, schema=schema, logprobs=asked.logprobs, most_tokens=most)
            if known != self._known:
                self._known = known
                self._ledger.record_capabilities(self.endpoint, self.name, known)
            return completion

    def choose_form(self, asked: ChatRequest) -> Form:
        return choose_form(
            self._known,
            schema=asked.schema is not None,
            logprobs=asked.logprobs,
            limit=self._name_limit() if self.purse else None,
            tokens=asked.purpose.reply_tokens if self.purse else 0,
        )

    def _name_limit(self) -> LimitName:
        """Return what the endpoint probably calls the most tokens of a reply: only OpenAI's own has dropped the old
        name, and servers that do not know the new one pass over it."""
        return "max_completion_tokens" if self.target.host.endswith(".openai.com") else "max_tokens"

    def _describe_refusal(self, refusal: RequestRefusedError, *, too_long: bool) -> ReplyError:
        if too_long:
            what, step = str(refusal), "Take a model with a longer context, or a smaller review_batch."
            return ReplyError(f"{self.target.host} {what}", next_step=step)
        return ReplyError(
            f"{self.target.host} refused a request to {self.name}: it {refusal}",
            next_step="Check that the model takes chat requests and that its context is long enough.",
        )

    def _send_until_answered(self, asked: ChatRequest, form: Form) -> Completion:
        """Try until there is an answer, or no hope of one. Raises RequestRefusedError and BudgetReachedError too."""
        before = self._breaker.answers
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingFailureError),
            wait=self._choose_wait,
            stop=lambda state: self._is_hopeless(state, before),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt, self._slots, self._put_aside(asked, form) as hold, self._breaker.turn():
                    return self._send(asked, form, attempt.retry_state.attempt_number, hold)
        except PassingFailureError as failure:
            alone = self._breaker.is_over or self._breaker.answers == before
            if alone or self._asks_too_long(failure):
                raise give_up(failure, self.target) from failure
            raise ReplyError(
                f"{self.target.host} answers other requests and not this one to {self.name}: it {failure.what}",
                next_step="Look into the server's log.",
            ) from failure
        raise AssertionError("it either returns or raises")

    def _put_aside(self, asked: ChatRequest, form: Form) -> AbstractContextManager[Hold | None]:
        """Return a block for which the most that a try can cost is put aside; nothing is where there is no budget."""
        if self.purse is None:
            return nullcontext()
        tokens_in = bound_prompt(asked.messages, asked.schema)
        most = price_request(self.target, tokens_in, form.tokens, self.terms.price)
        if most is None:
            raise AssertionError("a purse is opened only where the price is known")
        return self.purse.reserve(most, asked.purpose, self.name)

    def _is_hopeless(self, state: tenacity.RetryCallState, before: int) -> bool:
        failure = _failure_of(state)
        if self._breaker.is_over or self._asks_too_long(failure):
            return True
        if self._breaker.has_answered and self._breaker.answers == before:
            return False  # it is the breaker that loses patience
        return state.attempt_number >= (BUSY_TRIES if failure.busy else TRIES)

    def _asks_too_long(self, failure: PassingFailureError) -> bool:
        return (failure.retry_after or 0.0) > self.terms.patience

    def _choose_wait(self, state: tenacity.RetryCallState) -> float:
        failure = _failure_of(state)
        if failure.retry_after is not None:
            return failure.retry_after + self._spread(state)
        return 0.0 if self._breaker.is_open else self._growing(state)

    def _send(self, asked: ChatRequest, form: Form, attempt: int, hold: Hold | None) -> Completion:
        """Try once. Raises what `agents.failures.classify` makes of a failure."""
        sent = self._pace.admit(sum(len(one.content.encode()) for one in asked.messages) // 4 + REPLY_TOKENS)
        if hold is not None:
            hold.send()
        started = time.monotonic()
        try:
            reply = self._bind(asked.schema, form).invoke([(one.role, one.content) for one in asked.messages])
        except (openai.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
            # The errors that are not the client's are what it makes of a body that is no chat completion.
            if hold is not None and is_uncharged(error):
                hold.refuse()
            raise classify(error, self.target) from None
        latency = time.monotonic() - started
        completion = read_completion(
            reply,
            self.target,
            self.terms.price,
            sampling=form.sampling,
            latency=latency,
            attempt=attempt,
            charge=hold.charge if hold else None,
        )
        if completion.tokens_in is not None and completion.tokens_out is not None:
            self._pace.settle(sent, completion.tokens_in + completion.tokens_out)
        if hold is not None:
            hold.settle(completion.usd)
        return completion

    def _bind(self, schema: dict[str, Any] | None, form: Form) -> Any:  # noqa: ANN401 (LangChain names no type for it)
        # In the extra body: the client would otherwise parse the reply itself, and lose one that is not JSON, and send
        # the limit under a name of its own choice.
        return self._model.bind(extra_body=describe_form(form, schema))


def _failure_of(state: tenacity.RetryCallState) -> PassingFailureError:
    failure = state.outcome.exception() if state.outcome else None
    if not isinstance(failure, PassingFailureError):
        raise TypeError(f"only a passing failure is tried again, and this is {failure!r}")
    return failure
