"""The reviewer: a second opinion on the rows that are likely wrong."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from agents.asking import Asker
from agents.base import ReviewRequest, ReviewRow
from agents.prompting import render_prompt, shorten
from agents.replies import read_json
from records.errors import ReplyError
from records.review_book import key_of_text
from records.rows import Review, Source
from records.task import CANNOT_TELL, TaskSpec
from specialists.consensus import TooLittleConsensusError, predict_from_consensus

LONGEST_TEXT = 4000
"""Characters of a text that a language model is shown."""


class OfflineReviewer:
    """A classifier taught by the rows on which all specialists agree, weighed with their vote; no language model."""

    source: Source = "offline"

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order; all failed, with the reason, where the consensus teaches nothing."""
        if not request.rows:
            return ()
        names, consensus = request.task.label_names, request.consensus
        if consensus is None:
            raise ValueError("a reviewer without a language model needs the rows of consensus")
        try:
            probs = predict_from_consensus(
                consensus.features, consensus.labels, consensus.review_features, consensus.review_vote
            )
        except TooLittleConsensusError as error:
            return tuple(
                Review(row=row.row, label=None, source=self.source, failed=True, reason=str(error))
                for row in request.rows
            )
        return tuple(
            Review(
                row=row.row, label=names[int(row_probs.argmax())], source=self.source, sureness=float(row_probs.max())
            )
            for row, row_probs in zip(request.rows, probs, strict=True)
        )


class _AnswerReply(BaseModel):
    id: str
    label: str


class _AnswersReply(BaseModel):
    answers: list[_AnswerReply]


class LLMReviewer:
    """Has a language model label the rows, `batch` in a request and `concurrency` requests at a time.

    Batches follow from the rows alone: the first rows of each distinct text, in their order.
    """

    source: Source = "llm"

    def __init__(self, asker: Asker, *, batch: int, concurrency: int) -> None:
        self._asker = asker
        self._batch = batch
        self._concurrency = concurrency

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order; rows of the same text, but for white space and case, share one.

        A row without a usable answer is marked failed, with the reason. Raises LLMUnreachableError.
        """
        first: dict[str, ReviewRow] = {}
        for row in request.rows:
            first.setdefault(key_of_text(row.text), row)
        asked = tuple(first.values())
        batches = [asked[start : start + self._batch] for start in range(0, len(asked), self._batch)]
        with ThreadPoolExecutor(self._concurrency) as pool:
            answered = pool.map(lambda rows: self._review_batch(request.task, rows), batches)
            reviews = {review.row: review for batch in answered for review in batch}
        return tuple(
            reviews[first[key_of_text(row.text)].row].model_copy(update={"row": row.row}) for row in request.rows
        )

    def _review_batch(self, task: TaskSpec, rows: Sequence[ReviewRow]) -> list[Review]:
        """Ask about the rows of one batch, and once more about those that got no label of the task."""
        try:
            labels = self._ask(task, rows)
        except ReplyError as error:
            return [self._fail(row, error.what) for row in rows]
        rejected = {row.row: said for row in rows if _read_label(said := labels.get(row.row), task) is None}
        if rejected:
            try:
                labels |= self._ask(task, [row for row in rows if row.row in rejected], rejected)
            except ReplyError as error:
                failed = {row.row: self._fail(row, error.what) for row in rows if row.row in rejected}
                return [failed.get(row.row) or self._conclude(row, labels[row.row], task) for row in rows]
        return [self._conclude(row, labels[row.row], task) for row in rows]

    def _ask(
        self, task: TaskSpec, rows: Sequence[ReviewRow], rejected: dict[int, str | None] | None = None
    ) -> dict[int, str | None]:
        """Return internal row number → the label as the model wrote it, None where it left the row out."""
        by_id = {f"r{number}": row.row for number, row in enumerate(rows, 1)}
        prompt = render_prompt(
            "reviewer",
            sentence=task.sentence,
            labels=task.labels,
            guidelines=task.guidelines,
            rows=[{"id": key, "text": shorten(row.text, LONGEST_TEXT)} for key, row in zip(by_id, rows, strict=True)],
            rejected={key: rejected[row] for key, row in by_id.items()} if rejected else None,
        )
        reply = self._asker.ask(prompt, read_json(_AnswersReply), _reply_schema(task)).value
        said: dict[int, str | None] = dict.fromkeys(by_id.values())
        for answer in reply.answers:
            if (row := by_id.get(answer.id.strip())) is not None:
                twice = said[row] is not None and said[row] != answer.label
                said[row] = f"{said[row]} and {answer.label}" if twice else answer.label
        return said

    def _conclude(self, row: ReviewRow, said: str | None, task: TaskSpec) -> Review:
        label = _read_label(said, task)
        if label == CANNOT_TELL:
            return Review(row=row.row, label=None, source=self.source, reason="the reviewer cannot tell")
        if label is not None:
            return Review(row=row.row, label=label, source=self.source)
        what = "left the row out" if said is None else f"said {shorten(said, 100)!r}, which is no label of the task"
        return self._fail(row, f"the reviewer {what}, twice")

    def _fail(self, row: ReviewRow, reason: str) -> Review:
        return Review(row=row.row, label=None, source=self.source, failed=True, reason=reason)


def _read_label(said: str | None, task: TaskSpec) -> str | None:
    """Return the label of the task (or CANNOT_TELL) that was written, whatever its case; None for anything else."""
    allowed = {name.casefold(): name for name in (*task.label_names, CANNOT_TELL)}
    return allowed.get(said.strip().casefold()) if said is not None else None


def _reply_schema(task: TaskSpec) -> dict[str, Any]:
    schema = _AnswersReply.model_json_schema()
    schema["$defs"]["_AnswerReply"]["properties"]["label"]["enum"] = [*task.label_names, CANNOT_TELL]
    return schema
