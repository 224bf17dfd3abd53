"""The purse: no request is sent that `--budget` might not have the money for.

What a request costs at most is put aside before it is sent, and written into the ledger; what it did cost takes its
place. So nothing is overspent, however many requests are under way and whenever the process is killed, as long as the
endpoint counts a prompt as `bound_prompt` bounds it and keeps to the most tokens of a reply that it is told.
"""

import json
import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agents.asking import Message, Purpose
from agents.prices import price_request
from agents.target import LLMTarget, Terms
from records.errors import BudgetReachedError, SettingsError
from records.ledger import Ledger

MESSAGE_TOKENS = 16
"""Tokens that an endpoint may put around a message, such as its role and the marks of its beginning and end."""
REQUEST_TOKENS = 64
"""Tokens that an endpoint may put around a request: the beginning of the reply, a word on the response format."""


def bound_prompt(messages: Sequence[Message], schema: dict[str, Any] | None) -> int:
    """Return the most tokens that a prompt has: the bytes of its messages and schema in UTF-8, and an allowance.

    A token of a byte-level BPE tokenizer (GPT, Llama 3, Qwen, Mistral's Tekken and most others of today) stands for
    one byte at least, so no text has more tokens than bytes. It is usually three to five times as much as is counted
    then. A tokenizer that rewrites a text into a longer one first would not be bounded so.
    """
    sent = sum(len(message.content.encode()) for message in messages)
    told = len(json.dumps(schema, ensure_ascii=False).encode()) if schema is not None else 0
    return sent + told + MESSAGE_TOKENS * len(messages) + REQUEST_TOKENS


class Hold:
    """Money that is put aside for one request. Until `send` is called nothing of it is spent."""

    def __init__(self, ledger: Ledger, purpose: Purpose, model: str, usd: float) -> None:
        self.usd = usd
        self.charge: int | None = None
        """Its number in the ledger, once the request was sent."""
        self._ledger = ledger
        self._purpose = purpose
        self._model = model

    def send(self) -> None:
        """Note that the request goes out now: from here on it may be charged, whatever becomes of this process."""
        self.charge = self._ledger.open_charge(self._purpose.role, self._purpose.stage, self._model, self.usd)

    def refuse(self) -> None:
        """Note that it is not charged: the endpoint refused it, or never had it."""
        if self.charge is not None:
            self._ledger.strike_charge(self.charge)
        self.charge = None

    def settle(self, usd: float | None) -> None:
        """Note what it cost; None: its tokens were not counted, and all that was put aside counts as spent."""
        self.usd = self.usd if usd is None else usd


class Purse:
    """The money of one run, for all its threads.

    Spent is what the ledger has, from earlier processes too: the prices of the answers, and what was put aside for
    requests that may have been charged without one (no answer in time, a lost connection, a server's failure, a kill).
    A request that an endpoint refused (any 4xx, and 503) or that never reached it is not charged. What the ledger keeps
    back for later (`Ledger.keep_back`) is as good as spent meanwhile.
    """

    def __init__(self, budget: float, ledger: Ledger) -> None:
        self.budget = budget
        self._ledger = ledger
        self._spent = ledger.sum_spent()
        self._held: list[Hold] = []
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def spent(self) -> float:
        """USD that are spent, without what is put aside."""
        with self._changed:
            return self._spent

    @contextmanager
    def reserve(self, usd: float, purpose: Purpose, model: str) -> Iterator[Hold]:
        """Put so much aside for the length of the block, which sends one request.

        Where the money is short it waits for the requests under way, in the order of arrival, since most cost less
        than was put aside. Raises BudgetReachedError where none is under way and it is still short.
        """
        hold = self._take(Hold(self._ledger, purpose, model, usd))
        try:
            yield hold
        finally:
            with self._changed:
                self._held.remove(hold)
                self._spent += hold.usd if hold.charge is not None else 0.0
                self._changed.notify_all()

    def take(self, most: Sequence[float]) -> int:
        """Spend what the first requests of a batch cost at most, as many as there is money for; return how many.

        Each has its charge in the ledger before the batch is submitted; `correct` tells what it did cost.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._held)
            number, free = 0, self.budget - self._ledger.read_kept()
            for usd in most:
                if self._spent + usd > free:
                    break
                self._spent += usd
                number += 1
        return number

    def correct(self, counted: float, usd: float) -> None:
        """Let `usd` count as spent in the place of what counted until now."""
        with self._changed:
            self._spent += usd - counted
            self._changed.notify_all()

    def _take(self, hold: Hold) -> Hold:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and (self._has_room(hold) or not self._held))
                if not self._has_room(hold):
                    raise self._describe_end(hold)
                self._held.append(hold)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        return hold

    def _has_room(self, hold: Hold) -> bool:
        return self._spent + sum(one.usd for one in self._held) + hold.usd <= self.budget - self._ledger.read_kept()

    def _describe_end(self, hold: Hold) -> BudgetReachedError:
        kept = self._ledger.read_kept()
        for_audit = f", {kept:.6f} USD are kept for the audit" if kept else ""
        return BudgetReachedError(
            f"the budget of {self.budget:g} USD is reached: {self._spent:.6f} USD are spent{for_audit}, and the next "
            f"request may cost {hold.usd:.6f} USD",
            next_step="Go on with more: autoannotator resume RUN --budget USD",
        )


def open_purse(target: LLMTarget, ledger: Ledger, terms: Terms) -> Purse | None:
    """Return the purse of a budget, None where there is none. Raises SettingsError where no price is known."""
    if terms.budget is None:
        return None
    if price_request(target, 1, 1, terms.price) is None:
        raise SettingsError(
            f"--budget {terms.budget:g} cannot be kept: no price is known for {target.model} at {target.host}",
            next_step="State it: --llm-price IN,OUT (USD for a million tokens read and written).",
        )
    return Purse(terms.budget, ledger)


def check_spending(ledger: Ledger, budget: float) -> float:
    """Return the USD that a run has spent. Raises SettingsError where a new budget would not go beyond it."""
    spent, unpriced = ledger.sum_spent(), ledger.count_unpriced()
    if unpriced:
        raise SettingsError(
            f"--budget {budget:g}: what this run has spent is not known, since {unpriced} answers have no price",
            next_step="Resume it without --budget, or start a new run with one.",
        )
    if not spent < budget < math.inf:
        raise SettingsError(
            f"--budget {budget:g}: {spent:.6f} USD are spent already, and it must be more than that",
            next_step="Give a larger --budget.",
        )
    return spent
