"""The probe: rows of the task that every candidate annotates, and the best that is known of their labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from agents.base import ReviewRequest, ReviewRow
from graphs.context import RunContext
from graphs.engine import Assignment, Job, Receipt
from graphs.reviewing import GOLD_STEP, PROBE_STEP
from graphs.tables import (
    class_probs_of,
    find_filled_rows,
    merge_shards,
    probs_of,
    read_row_ids,
    read_texts,
    shards_for,
    write_shards,
)
from records.errors import BudgetReachedError, ModelError, NoSpecialistsError
from records.events import CandidateDropped, ProbeLabelled
from records.folder import read_record, write_table
from records.review_book import BookedReview, key_of_text
from specialists.arrays import Booleans, Floats, Integers
from specialists.probe import LEAST_PROBE_ROWS, draw_pool, draw_probe

Truth = Literal["gold", "human", "llm", "consensus"]

PAID_SHARE = 0.2
"""The largest share of the rows whose labels are paid for to audition the candidates, in a file that is so small."""


@dataclass(frozen=True)
class Annotations:
    """What one candidate made of some rows: probabilities of the labels by its own label map (n_rows, n_labels) and of
    its own classes (n_rows, n_classes), the mean row's tokens, and the seconds that one took."""

    probs: Floats
    class_probs: Floats
    tokens: float
    seconds: float


@dataclass(frozen=True)
class ProbeRows:
    """The probe (n_rows,): row numbers, weights (1 / inclusion probability), and `label`, an index into the task's
    labels, or -1 where none is known; `truth` says where the labels come from. `annotations` are of the same rows, by
    the candidate's slug."""

    numbers: Integers
    weights: Floats
    label: Integers
    truth: Truth
    annotations: Mapping[str, Annotations]

    @property
    def judging(self) -> Booleans:
        """(n_rows,): whether a row can judge a candidate: all of them where there is only consensus."""
        return np.ones(len(self.label), dtype=np.bool_) if self.truth == "consensus" else self.label >= 0

    @property
    def truth_labels(self) -> Integers | None:
        """The labels of the judging rows; None where there is only consensus."""
        return None if self.truth == "consensus" else self.label[self.judging]


def hold_probe(context: RunContext, jobs: Sequence[Job], rows: int, guessed: frozenset[str]) -> ProbeRows:
    """Have the candidates annotate a pool of rows, draw the probe from it by length and disagreement, and label it.

    A candidate that breaks on it is dropped. `guessed` names those whose label map is a guess: their disagreement says
    nothing. What was drawn, with each row's inclusion probability, is written to `audition/probe.parquet`.
    Raises NoSpecialistsError where every candidate breaks, LLMUnreachableError, and BudgetReachedError where the
    budget does not pay for the probe's labels.
    """
    settings, gold = context.settings, _list_gold(context, rows)
    truth: Truth = "gold" if gold else "consensus" if context.team.reviewer.source == "offline" else "llm"
    population = np.array(sorted(gold), dtype=np.int64) if gold else _find_rows(context, rows)
    size = count_paid_rows(settings.probe_size, rows) if truth == "llm" else settings.probe_size
    pool = population[draw_pool(len(population), size * settings.probe_pool, settings.seed)]
    texts = read_texts(context.folder, pool.tolist(), settings.shard_size)
    annotated = _annotate(context, jobs, pool.tolist(), texts)
    labels = [one.probs.argmax(axis=1) for slug, one in annotated.items() if slug not in guessed]
    own = np.stack(labels) if labels else np.zeros((1, len(pool)), dtype=np.int64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    drawn = draw_probe(lengths, own, len(population), size, settings.seed)
    numbers = pool[drawn.positions]
    if truth == "llm":
        given = _review(context, numbers, [texts[at] for at in drawn.positions.tolist()], drawn.inclusion)
    else:
        given = [gold.get(number) for number in numbers.tolist()]
    _write_probe(context, numbers, drawn.inclusion, given, truth)
    names = context.read_task().label_names
    return ProbeRows(
        numbers=numbers,
        weights=drawn.weights,
        label=np.array([-1 if label is None else names.index(label) for label in given], dtype=np.int64),
        truth=truth,
        annotations={slug: _take(one, drawn.positions) for slug, one in annotated.items()},
    )


def count_paid_rows(size: int, rows: int) -> int:
    """Return how many rows a probe of `size` has where their labels are paid for."""
    return min(size, max(LEAST_PROBE_ROWS, math.ceil(PAID_SHARE * rows)))


def _list_gold(context: RunContext, rows: int) -> dict[int, str]:
    """Return row number → label of the gold rows, of identical texts only the first."""
    if context.settings.gold is None:
        return {}
    found = context.reviews.list_labelled(GOLD_STEP + 1, rows)
    return {one.review.row: one.review.label for one in found if one.review.label is not None}


def _find_rows(context: RunContext, rows: int) -> Integers:
    return find_filled_rows(context.folder, rows, context.settings.shard_size)


def _annotate(context: RunContext, jobs: Sequence[Job], numbers: list[int], texts: list[str]) -> dict[str, Annotations]:
    """Return slug → annotations; a candidate that breaks is dropped."""
    inputs = write_shards(context.folder.scratch / "audition", numbers, texts, context.settings.shard_size)
    assignments = [Assignment(job, shards_for(inputs, job.name), classes=True) for job in jobs]
    failures = {job.name: why for job, why in context.engine.annotate(assignments).items()}
    annotated: dict[str, Annotations] = {}
    for one in assignments:
        if one.job.name not in failures:
            try:
                annotated[one.job.name] = _read_annotations(context, one)
            except ModelError as error:
                failures[one.job.name] = error.what
    for slug, reason in failures.items():
        context.emit(CandidateDropped(model=slug, reason=reason))
    if not annotated:
        raise NoSpecialistsError(
            "every candidate failed on the probe: " + "; ".join(failures.values()),
            next_step=f"See the scripts in {context.folder.path / 'scripts'}.",
        )
    return annotated


def _read_annotations(context: RunContext, one: Assignment) -> Annotations:
    table = merge_shards(one.shards, context.read_task().label_names)
    if "class_probs" not in table.column_names:
        raise ModelError(
            f"the script of {one.job.name} does not tell the probabilities of its model's classes",
            next_step=f"See its scripts: {one.job.scripts}",
        )
    receipts = [read_record(shard.receipt, Receipt) for shard in one.shards]
    rows = max(len(table), 1)
    return Annotations(
        probs=probs_of(table),
        class_probs=class_probs_of(table),
        tokens=sum(receipt.tokens for receipt in receipts) / rows,
        seconds=sum(receipt.seconds for receipt in receipts) / rows,
    )


def _take(one: Annotations, positions: Integers) -> Annotations:
    return replace(one, probs=one.probs[positions], class_probs=one.class_probs[positions])


def _review(context: RunContext, numbers: Integers, texts: Sequence[str], inclusion: Floats) -> list[str | None]:
    """Return the reviewer's labels, None where it gave none; its answers are written down as reviews."""
    rows = tuple(ReviewRow(row=number, text=text) for number, text in zip(numbers.tolist(), texts, strict=True))
    reviews = context.team.reviewer.review(ReviewRequest(task=context.read_task(), rows=rows))
    if len(reviews) < len(rows):
        raise BudgetReachedError(
            f"the budget pays for {len(reviews)} of the {len(rows)} reviews by which the specialists are chosen",
            next_step=f"Go on with more: autoannotator resume {context.folder.path} --budget USD",
        )
    ids = read_row_ids(context.folder, numbers.tolist(), context.settings.shard_size)
    booked = [
        BookedReview(step=PROBE_STEP, row_id=row_id, review=one, inclusion=odds)
        for row_id, one, odds in zip(ids, reviews, inclusion.tolist(), strict=True)
    ]
    context.reviews.record([key_of_text(text) for text in texts], booked)
    return [one.label for one in reviews]


def _write_probe(
    context: RunContext, numbers: Integers, inclusion: Floats, given: Sequence[str | None], truth: Truth
) -> None:
    columns = [pa.array(numbers), pa.array(inclusion), pa.array(given, pa.string())]
    table = pa.table(columns, names=["row", "inclusion", "label"])
    write_table(context.folder.audition / "probe.parquet", table)
    labelled = len(given) if truth == "consensus" else len(given) - list(given).count(None)
    context.emit(ProbeLabelled(rows=labelled, truth=truth, unlabelled=len(given) - labelled))
