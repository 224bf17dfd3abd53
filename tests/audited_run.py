"""A run that has come to its audit, made in a moment: its rows, its labels, and an expert whose answers are known."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agents.base import ReviewRequest
from graphs.audit_files import AuditDesign, Claims, Population, find_last_audit
from graphs.audit_rows import read_final_labels
from graphs.auditing import audit, certify
from graphs.context import RunContext
from graphs.reviewing import apply_reviews, number_step
from graphs.state import RunState
from graphs.tables import STAGE_LABELS, VOTED
from records.events import Event
from records.folder import RunFolder, read_record, write_table
from records.ledger import Ledger
from records.outcome import Certificate
from records.review_book import BookedReview, ReviewBook, key_of_text
from records.rows import ROW, ROW_ID, TEXT, Review
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from records.task_file import write_task

LABELS = ("positive", "negative")
SHARD = 200

Answer = str | None
"""What the expert says of a text: a label, or None where the request fails."""


def hash_share(text: str, salt: str = "") -> float:
    """Return a number from 0 to 1 that hangs on the text alone."""
    return int.from_bytes(hashlib.sha256(f"{salt}{text}".encode()).digest()[:6]) / 2**48


def answer(text: str) -> str:
    """Return what a good expert says: the first word."""
    return text.split(maxsplit=1)[0].lower()


class StoppedError(Exception):
    """The process was killed, say."""


@dataclass
class Expert:
    """Answers from a function of the text; has money for `money` rows, ten to a request, and dies at request `dies`."""

    said: Callable[[str], Answer] = answer
    money: int | None = None
    dies: int | None = None
    source: str = "llm"
    requests: list[tuple[str, ...]] = field(default_factory=list)

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        if self.dies == len(self.requests):
            raise StoppedError
        self.requests.append(tuple(row.text for row in request.rows))
        batches = [request.rows[start : start + 10] for start in range(0, len(request.rows), 10)]
        reviews: list[Review] = []
        for batch in batches:
            if self.money is not None and self.money < len(batch):
                continue
            self.money = None if self.money is None else self.money - len(batch)
            for row in batch:
                label = self.said(row.text)
                reason = "It was refused." if label is None else ""
                reviews.append(Review(row=row.row, label=label, failed=label is None, source="llm", reason=reason))
        return tuple(reviews)

    @property
    def asked(self) -> list[str]:
        """Every text that was asked about, in the order of the questions."""
        return [text for request in self.requests for text in request]


@dataclass
class AuditedRun:
    """A run after its last stage, with its parts; `labels` are the votes, `risk` the vote's own estimate."""

    folder: RunFolder
    context: RunContext
    state: RunState
    expert: Expert
    events: list[Event]

    def certify(self, target: float | None = None, **changed: Any) -> Certificate:
        """Go through the nodes `audit` and `certify`, with `changed` settings, and return the certificate."""
        settings = self.context.settings.model_copy(update={"target_error": target, **changed})
        context = replace(self.context, settings=settings)
        runtime = cast(Any, SimpleNamespace(context=context))
        audit(self.state, runtime)
        certify(self.state, runtime)
        self.context = context
        return read_record(self.folder.certificate, Certificate)

    def read_labels(self) -> list[dict[str, Any]]:
        """Return the labels as they go into labels.parquet, with row number and text."""
        tables = [read_final_labels(self.context, self.state, stage) for stage in range(self.state["stages"])]
        texts = pq.read_table(self.folder.input)[TEXT].to_pylist()
        return [{**row, "text": text} for row, text in zip(pa.concat_tables(tables).to_pylist(), texts, strict=True)]

    @property
    def design(self) -> AuditDesign:
        last = find_last_audit(self.folder)
        assert last is not None
        return last.read_design()

    @property
    def population(self) -> Population:
        last = find_last_audit(self.folder)
        assert last is not None
        return last.read_population()

    @property
    def claims(self) -> list[tuple[int, str]]:
        made = read_record(self.folder.audits / "claims.json", Claims).claims
        return [(one.audit, one.kind) for one in made]


@contextmanager
def audited_run(
    path: Path,
    texts: Sequence[str],
    *,
    wrong: float = 0.1,
    reviewed: Sequence[int] = (),
    expert: Expert | None = None,
    gold_sample: str | None = None,
    prepare: Callable[[RunContext], None] = lambda context: None,
    **settings: Any,
) -> Iterator[AuditedRun]:
    """Yield a run of two stages whose vote errs on a share `wrong` of the texts that a good expert would label, most
    where its risk is high; the rows `reviewed` were reviewed by the expert in their stage."""
    path.mkdir(parents=True, exist_ok=True)
    folder, expert, events = RunFolder(path), expert or Expert(), cast("list[Event]", [])
    half = -(-len(texts) // 2)
    rows = pa.table({ROW: range(len(texts)), ROW_ID: [f"r{n}" for n in range(len(texts))], TEXT: list(texts)})
    pq.write_table(rows, folder.input, row_group_size=SHARD)
    task = TaskSpec(
        sentence="Positive or negative?",
        labels=tuple(LabelSpec(name=name) for name in LABELS),
        text_columns=("text",),
        gold_sample=cast(Any, gold_sample),
    )
    write_task(folder.task, task)
    book, ledger = ReviewBook(folder.ledger), Ledger(folder.ledger)
    context = RunContext(
        folder=folder,
        settings=Settings(task="Positive or negative?", data="rows.csv", shard_size=SHARD, **settings),
        team=cast(Any, SimpleNamespace(reviewer=expert)),
        reviews=book,
        emit=events.append,
        **cast(Any, dict.fromkeys(("open_hub", "trusted_weights", "given_lock", "sandbox", "engine"))),
        ledger=ledger,
    )
    state = cast(RunState, {"stages": 2, "stage_size": half, "versions": {}, "short": None})
    try:
        prepare(context)
        for stage in range(2):
            part = slice(stage * half, (stage + 1) * half)
            chosen = [number for number in reviewed if part.start <= number < part.stop]
            _write_stage(context, stage, list(texts), part, wrong=wrong, reviewed=chosen)
        yield AuditedRun(folder, context, state, expert, events)
    finally:
        book.close()
        ledger.close()


def _write_stage(
    context: RunContext, stage: int, texts: list[str], part: slice, *, wrong: float, reviewed: Sequence[int]
) -> None:
    numbers = range(*part.indices(len(texts)))
    voted = [vote(texts[number], wrong) if texts[number].strip() else None for number in numbers]
    rows = [
        {
            ROW: number, ROW_ID: f"r{number}", VOTED: label, "label": label, "source": "vote" if label else None,
            "confidence": 0.8, "agreement": 1.0, "votes": [("a--b", label)] if label else None,
            "risk": risk_of(texts[number], wrong) if label else None, "stage": stage, "review_failed": False,
        }
        for number, label in zip(numbers, voted, strict=True)
    ]  # fmt: skip
    step = number_step(stage, "risk")
    answers = [(number, cast(Expert, context.team.reviewer).said(texts[number])) for number in reviewed]
    booked = [
        BookedReview(
            step=step,
            row_id=f"r{number}",
            review=Review(row=number, label=label, failed=label is None, source="llm"),
        )
        for number, label in answers
    ]
    context.reviews.record([key_of_text(texts[number]) for number in reviewed], booked)
    keys = [key_of_text(texts[number]) for number in numbers]
    found = context.reviews.find(keys)
    table = apply_reviews(pa.Table.from_pylist(rows, schema=STAGE_LABELS), [found.get(key) for key in keys])
    write_table(context.folder.stage_labels(stage), table)


def risk_of(text: str, wrong: float) -> float:
    """Return the probability with which the vote errs on a text: high on a few, low on most."""
    return float(np.clip(wrong * 3.0 * hash_share(text, "risk") ** 2, 0.0, 1.0))


def vote(text: str, wrong: float) -> str:
    """Return the vote on a text."""
    right = answer(text)
    return LABELS[1 - LABELS.index(right)] if hash_share(text, "vote") < risk_of(text, wrong) else right


def make_texts(rows: int) -> list[str]:
    """Return texts that say which label they have."""
    return [f"{LABELS[number % 2]} text {number}" for number in range(rows)]
