"""Asks a simulated reviewer as a run would: the project's own reviewer, its prompts, and a server on loopback.

So what reviews take is counted, request by request, and not estimated. No tokenizer is the right one for every
endpoint; the server counts characters divided by four, and the measures are ratios.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.asking import Asker
from agents.base import ReviewRequest, ReviewRow
from agents.reviewer import LLMReviewer, ReviewManner
from agents.target import LLMTarget
from agents.team import make_asker
from bench.chat_server import ChatServer
from bench.reviewers import Answers, Reviewer
from bench.simulated_llm import MODEL, SimulatedLLM, describe_task
from bench.streams import Stream
from records.ledger import Ledger
from records.rows import Review
from records.settings import Settings
from specialists.arrays import Integers

BATCH: int = Settings.model_fields["review_batch"].default
USD_PER_MILLION = (0.15, 0.60)
"""Input and output: a stated price of a small model, for the table alone."""

_REQUESTS_AT_ONCE = 1
"""The benchmark has a process for each core, and the server answers at once."""
_IN_MEMORY = Path(":memory:")
"""SQLite's name for a database that no file holds."""


@dataclass(frozen=True)
class Tokens:
    """What was read and written, as the simulated server counts it."""

    read: float = 0.0
    written: float = 0.0

    @property
    def total(self) -> float:
        return self.read + self.written

    @property
    def dollars(self) -> float:
        given, taken = USD_PER_MILLION
        return (self.read * given + self.written * taken) / 1e6

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.read + other.read, self.written + other.written)

    def scale(self, factor: float) -> "Tokens":
        """Return so many times these tokens."""
        return Tokens(factor * self.read, factor * self.written)


@dataclass(frozen=True)
class SimulatedReview:
    """A reviewer who is hired for one stream."""

    stream: Stream
    reviewer: Reviewer
    server: ChatServer

    def ask(self, rows: Integers, batch: int = BATCH) -> tuple[Answers, Tokens]:
        """Return what the reviewer says of rows (n_asked,), in their order, and what it took, `batch` to a request.

        Raises LLMUnreachableError, and ValueError for a row without an answer, which a simulated reviewer never
        leaves.
        """
        before = self.server.usage
        asked = tuple(ReviewRow(row=row, text=self.stream.texts[row]) for row in rows.tolist())
        request = ReviewRequest(task=describe_task(self.stream), rows=asked)
        with _open_asker(self.server.url) as asker:
            reviewer = LLMReviewer(asker, ReviewManner(batch=batch), concurrency=_REQUESTS_AT_ONCE)
            answers = self._gather(reviewer.review(request))
        after = self.server.usage
        return answers, Tokens(after.tokens_in - before.tokens_in, after.tokens_out - before.tokens_out)

    def count_tokens(self, steps: Sequence[Integers]) -> Tokens:
        """Return what it takes to review the rows of each step (n_asked,), one step after the other."""
        return sum((self.ask(rows)[1] for rows in steps), Tokens())

    def _gather(self, reviews: Sequence[Review]) -> Answers:
        missing = [review for review in reviews if review.label is None]
        if missing:
            raise ValueError(f"row {missing[0].row} of {self.stream.name} got no label: {missing[0].reason}")
        label = np.array([self.stream.labels.index(str(review.label)) for review in reviews], dtype=np.int64)
        sureness = np.array([review.sureness for review in reviews], dtype=np.float64)
        return Answers(label, sureness if self.reviewer.sure else np.full(len(label), np.nan))


@contextmanager
def hire_reviewer(stream: Stream, reviewer: Reviewer, seed: int) -> Iterator[SimulatedReview]:
    """Yield a reviewer behind a server of its own, which runs for the length of the block."""
    with ChatServer(SimulatedLLM(stream, reviewer, seed).reply) as server:
        yield SimulatedReview(stream, reviewer, server)


@contextmanager
def _open_asker(url: str) -> Iterator[Asker]:
    """Yield what asks, and remembers nothing of what was asked before: the same rows are counted anew. Its ledger is in
    memory, as nobody waits for the disk here."""
    with closing(Ledger(_IN_MEMORY)) as ledger:
        yield make_asker(LLMTarget(model=MODEL, base_url=url), ledger)
