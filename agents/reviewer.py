"""The reviewer: a second opinion on the rows that are likely wrong."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal, Protocol

from agents.asking import Asker, ChatRequest, Planned, Purpose, begin
from agents.base import Consensus, ReviewRequest, ReviewRow
from agents.examples import ExampleFinder
from agents.prompting import Prompt
from agents.review_prompts import make_ids, render_review
from agents.review_replies import Answer, bound_reply, bound_thinking, make_form, make_schema, read_answers
from agents.sureness import measure_sureness
from records.errors import BudgetReachedError, ReplyError
from records.review_book import key_of_text
from records.rows import Review, Source, make_review
from records.settings import Settings
from records.task import CANNOT_TELL
from specialists.arrays import Floats
from specialists.consensus import TooLittleConsensusError, predict_from_consensus, predict_sets_from_consensus
from specialists.label_space import make_space

Style = Literal["zero", "few", "cot"]


class OfflineReviewer:
    """A classifier taught by the rows on which all specialists agree, weighed with their vote; no language model."""

    source: Source = "offline"

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order; all failed, with the reason, where the consensus teaches nothing."""
        if not request.rows:
            return ()
        space, consensus = make_space(request.task), request.consensus
        if consensus is None:
            raise ValueError("a reviewer without a language model needs the rows of consensus")
        try:
            probs = _predict(consensus)
        except TooLittleConsensusError as error:
            return tuple(
                Review(row=row.row, source=self.source, failed=True, reason=str(error)) for row in request.rows
            )
        codes = space.pick(probs)
        return tuple(
            make_review(row.row, space.decode(code), source=self.source, sureness=sure)
            for row, code, sure in zip(request.rows, codes.tolist(), space.rate(probs, codes).tolist(), strict=True)
        )


def _predict(consensus: Consensus) -> Floats:
    """Return the labels' probabilities (n_review, n_labels). Raises TooLittleConsensusError."""
    learned, shown = (consensus.features, consensus.labels), (consensus.review_features, consensus.review_vote)
    if consensus.agreed is None:
        return predict_from_consensus(*learned, *shown)
    return predict_sets_from_consensus(*learned, consensus.agreed, *shown)


@dataclass(frozen=True)
class ReviewManner:
    """How a language model reviews: `batch` rows to a request, in which style, and with reasons or without."""

    batch: int = 10
    style: Style = "zero"
    reasons: bool = False
    seed: int = 0


def make_manner(settings: Settings) -> ReviewManner:
    """Return the manner of a run."""
    return ReviewManner(
        batch=settings.review_batch,
        style=settings.review_style,
        reasons=settings.review_reasons,
        seed=settings.seed,
    )


class BatchDesk(Protocol):
    """What has requests answered in an endpoint's batches: `agents.batching.EndpointBatches`."""

    def answer(self, planned: Sequence[Planned]) -> None:
        """Have the requests answered and recorded, as far as that goes. Raises LLMUnreachableError, SettingsError."""
        ...


class LLMReviewer:
    """Has a language model label the rows, some to a request and `concurrency` requests at a time; with a `desk`, the
    first requests of all go to the endpoint's batches, and only what fails there is asked by itself.

    Batches follow from the rows alone: the first rows of each distinct text, in their order.
    """

    source: Source = "llm"

    def __init__(self, asker: Asker, manner: ReviewManner, *, concurrency: int, desk: BatchDesk | None = None) -> None:
        self._asker = asker
        self._desk = desk
        self._manner = manner
        self._concurrency = concurrency

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order; rows of the same text, but for white space and case, share one.

        A row without a usable answer is marked failed, with the reason. Where the budget ends, the rows of the batch
        that it ended in are missing, and those of the batches that were not begun by then. Raises LLMUnreachableError,
        and SettingsError where the endpoint has no batches and there is a desk.
        """
        keys = [key_of_text(row.text, row.text_pair) for row in request.rows]
        first: dict[str, ReviewRow] = {}
        for key, row in zip(keys, request.rows, strict=True):
            first.setdefault(key, row)
        asked, size = tuple(first.values()), self._manner.batch
        batches = [asked[start : start + size] for start in range(0, len(asked), size)]
        inquiry = _Inquiry(self._asker, self._manner, request)
        if self._desk is not None and batches:
            self._desk.answer([inquiry.plan(batch) for batch in batches])
        with ThreadPoolExecutor(self._concurrency) as pool:
            reviews = {review.row: review for batch in pool.map(inquiry.pay_for_batch, batches) for review in batch}
        return tuple(
            reviews[first[key].row].model_copy(update={"row": row.row})
            for key, row in zip(keys, request.rows, strict=True)
            if first[key].row in reviews
        )


class _Inquiry:
    """All that is asked for one request. Safe to share between threads."""

    def __init__(self, asker: Asker, manner: ReviewManner, request: ReviewRequest) -> None:
        self._asker = asker
        self._task = request.task
        self._stage = request.stage
        self._is_broke = Event()
        self._seed = manner.seed
        self._form = make_form(request.task, thoughts=manner.style == "cot", reasons=manner.reasons)
        self._thinking = bound_thinking(*asker.ledger.measure_replies("reviewer", request.stage))
        self._examples = ExampleFinder(request.known if manner.style == "few" else (), besides=request.rows)

    def pay_for_batch(self, rows: Sequence[ReviewRow]) -> list[Review]:
        """Return a review for each row of one batch, or none at all where the budget does not pay for all of them.

        What was paid for it stays in the ledger, for a run that is resumed with more.
        """
        if self._is_broke.is_set():
            return []
        try:
            return self.review_batch(rows)
        except BudgetReachedError:
            self._is_broke.set()
            return []

    def review_batch(self, rows: Sequence[ReviewRow]) -> list[Review]:
        """Return a review for each row of one batch.

        Where the batch gets no usable reply its rows are asked about one by one, so that one row which the model
        refuses takes no other along. At worst a batch of n rows costs 3 requests, and each of its rows 3 more. Raises
        BudgetReachedError.
        """
        try:
            return self._ask(rows)
        except ReplyError as error:
            if len(rows) == 1:
                return [Review(row=rows[0].row, source=LLMReviewer.source, failed=True, reason=error.what)]
        return [review for row in rows for review in self.review_batch([row])]

    def plan(self, rows: Sequence[ReviewRow]) -> Planned:
        """Return the request that a batch of rows begins with."""
        question = self._put(rows)
        purpose = Purpose(question.prompt.role, self._stage, question.reply_tokens)
        request = ChatRequest(begin(question.prompt), question.schema, purpose, logprobs=True)
        return Planned(request, question.prompt.hash)

    def _put(self, rows: Sequence[ReviewRow]) -> "_Question":
        ids = make_ids(rows, self._seed)
        return _Question(
            ids=ids,
            prompt=render_review(self._task, self._form, ids, rows, self._examples.choose(rows)),
            schema=make_schema(self._form, ids),
            reply_tokens=bound_reply(self._form, len(rows), self._thinking),
        )

    def _ask(self, rows: Sequence[ReviewRow]) -> list[Review]:
        """Return a review for each row. Raises ReplyError where no reply of three could be used."""
        question = self._put(rows)
        reply = self._asker.ask(
            question.prompt,
            read_answers(self._form, question.ids),
            question.schema,
            stage=self._stage,
            reply_tokens=question.reply_tokens,
            logprobs=True,
        )
        measured = measure_sureness(reply.raw, reply.tokens, question.ids)
        return [
            _as_review(row, reply.value[key], measured.get(key)) for key, row in zip(question.ids, rows, strict=True)
        ]


@dataclass(frozen=True)
class _Question:
    """What is asked about a batch of rows, in the order of its ids."""

    ids: tuple[str, ...]
    prompt: Prompt
    schema: dict[str, Any]
    reply_tokens: int


def _as_review(row: ReviewRow, answer: Answer, probability: float | None) -> Review:
    """Return the review; the probability of the label's tokens, where it is known, says how sure the model was."""
    said = answer.said
    undecided = said == CANNOT_TELL
    return Review(
        row=row.row,
        label=said if isinstance(said, str) and not undecided else None,
        labels=said if isinstance(said, tuple) else None,
        undecided=undecided,
        source=LLMReviewer.source,
        sureness=answer.sure if probability is None else probability,
        sureness_from="stated" if probability is None else "logprob",
        reason=answer.reason,
    )
