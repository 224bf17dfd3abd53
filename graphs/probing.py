"""The probe: rows of the task that every candidate annotates, and the best that is known of their labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from agents.base import ReviewRequest, ReviewRow
from graphs.annotations import class_probs_of, merge_shards, probs_of, shards_for, write_shards
from graphs.context import RunContext
from graphs.engine import Assignment, Job, Receipt
from graphs.reviewing import GOLD_STEP, PROBE_STEP
from graphs.tables import find_filled_rows, read_row_ids, read_texts
from records.errors import ModelError, NoSpecialistsError
from records.events import CandidateDropped, Noticed, ProbeLabelled
from records.folder import read_record, write_table
from records.review_book import BookedReview, key_of_text
from records.rows import Answer, RowText, answer_type
from specialists.arrays import Booleans, Floats, Integers
from specialists.class_maps import LEAST_LABEL_ROWS
from specialists.label_space import LabelSpace, make_space
from specialists.map_judges import choose_judge
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
class FewRows:
    """Some gold rows, or none: `label` (n_rows,), the codes of their labels, and by the candidate's slug the
    probabilities of its own classes (n_rows, n_classes)."""

    label: Integers
    class_probs: Mapping[str, Floats]


@dataclass(frozen=True)
class ProbeRows:
    """The probe (n_rows,): row numbers, weights (1 / inclusion probability), and `label`, the code of its label or
    labels, or -1 where none is known; `truth` says where the labels come from. `annotations` are of the same rows, by
    the candidate's slug. `few`: where there is only consensus, gold rows that cannot judge a candidate and may
    contradict it, LEAST_PROBE_ROWS at most."""

    numbers: Integers
    weights: Floats
    label: Integers
    truth: Truth
    annotations: Mapping[str, Annotations]
    few: FewRows

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

    Gold rows are the probe where they can judge a map; else it is drawn from the other rows. A candidate that breaks is
    dropped. `guessed` names those whose label map is a guess: their disagreement says nothing. What was drawn, with
    each row's inclusion probability, is written to `audition/probe.parquet`. Where the budget does not pay for the
    probe's labels there is only consensus. Raises NoSpecialistsError where every candidate breaks, and
    LLMUnreachableError.
    """
    settings, gold, space = context.settings, _list_gold(context, rows), make_space(context.read_task())
    known = np.array(sorted(gold), dtype=np.int64)
    others = np.setdiff1d(find_filled_rows(context.folder, rows, settings.shard_size), known)
    truth = _choose_truth(context, gold, others)
    population = known if truth == "gold" else others
    few = known[: LEAST_PROBE_ROWS if truth == "consensus" else 0]
    size = count_paid_rows(settings.probe_size, rows) if truth == "llm" else settings.probe_size
    pool = population[draw_pool(len(population), size * settings.probe_pool, settings.seed)]
    shown = np.union1d(pool, few)
    texts = read_texts(context.folder, shown.tolist(), settings.shard_size)
    annotated = _annotate(context, jobs, shown.tolist(), texts)
    lengths, own = _find_lengths_and_labels(annotated, texts, guessed, space)
    places = np.searchsorted(shown, pool)
    probe = draw_probe(lengths[places], own[:, places], len(population), size, settings.seed)
    places = places[probe.positions]
    numbers = shown[places]
    given: list[Answer | None] = [gold.get(number) for number in numbers.tolist()]
    if truth == "llm":
        reviewed = _review(context, numbers, [texts[at] for at in places.tolist()], probe.inclusion)
        truth, given = ("consensus", given) if reviewed is None else (truth, reviewed)
    _write_probe(context, numbers, probe.inclusion, given, truth)
    return ProbeRows(
        numbers=numbers,
        weights=probe.weights,
        label=space.encode_all(given),
        truth=truth,
        annotations={slug: _take(one, places) for slug, one in annotated.items()},
        few=FewRows(
            space.encode_all([gold[number] for number in few.tolist()]),
            {slug: one.class_probs[np.searchsorted(shown, few)] for slug, one in annotated.items()},
        ),
    )


def _choose_truth(context: RunContext, gold: Mapping[int, Answer], others: Integers) -> Truth:
    """Return where the probe's labels come from; `others` (n_others,) are the rows without a gold label."""
    space = make_space(context.read_task())
    without: Truth = "consensus" if context.team.reviewer.source == "offline" else "llm"
    judges = choose_judge(space).can_judge(space.encode_all(list(gold.values())))
    if judges or (gold and not len(others)):
        return "gold"
    if gold:
        of_each = "with a label, and as many without it" if space.several else "of each of two labels"
        needed = f"that takes {LEAST_PROBE_ROWS}, and {LEAST_LABEL_ROWS} {of_each}"
        instead = "the reviewer does" if without == "llm" else "but a model that they contradict is left out"
        context.emit(Noticed(message=f"The {len(gold)} gold rows cannot judge models ({needed}); {instead}."))
    return without


def _find_lengths_and_labels(
    annotated: Mapping[str, Annotations], texts: Sequence[RowText], guessed: frozenset[str], space: LabelSpace
) -> tuple[Integers, Integers]:
    """Return what the probe is drawn by: the rows' lengths (n_rows,), and the labels (n_candidates, n_rows) that those
    give them whose map is no guess."""
    labels = [space.pick(one.probs) for slug, one in annotated.items() if slug not in guessed]
    own = np.stack(labels) if labels else np.zeros((1, len(texts)), dtype=np.int64)
    return np.array([text.length for text in texts], dtype=np.int64), own


def count_paid_rows(size: int, rows: int) -> int:
    """Return how many rows a probe of `size` has where their labels are paid for."""
    return min(size, max(LEAST_PROBE_ROWS, math.ceil(PAID_SHARE * rows)))


def _list_gold(context: RunContext, rows: int) -> dict[int, Answer]:
    """Return row number → label or labels of the gold rows, of identical texts only the first."""
    if context.settings.gold is None:
        return {}
    found = context.reviews.list_labelled(GOLD_STEP + 1, rows)
    return {one.review.row: one.review.answer for one in found if one.review.answer is not None}


def _annotate(
    context: RunContext, jobs: Sequence[Job], numbers: list[int], texts: list[RowText]
) -> dict[str, Annotations]:
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
    table = merge_shards(one.shards, make_space(context.read_task()))
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


def _review(
    context: RunContext, numbers: Integers, texts: Sequence[RowText], inclusion: Floats
) -> list[Answer | None] | None:
    """Return the reviewer's labels, None where it gave none; its answers are written down as reviews. None in the place
    of all labels where the budget pays for too few of them to judge by."""
    rows = tuple(ReviewRow(row=number, **text._asdict()) for number, text in zip(numbers.tolist(), texts, strict=True))
    reviews = context.team.reviewer.review(ReviewRequest(task=context.read_task(), rows=rows))
    ids = read_row_ids(context.folder, numbers.tolist(), context.settings.shard_size)
    facts = dict(zip(numbers.tolist(), zip(texts, ids, inclusion.tolist(), strict=True), strict=True))
    paid = len(reviews) / len(rows)
    booked = [
        BookedReview(step=PROBE_STEP, row_id=facts[one.row][1], review=one, inclusion=paid * facts[one.row][2])
        for one in reviews
    ]
    context.reviews.record([key_of_text(*facts[one.row][0]) for one in reviews], booked)
    label = {one.row: one.answer for one in reviews}
    if len(reviews) == len(rows):
        return [label[row.row] for row in rows]
    space = make_space(context.read_task())
    known = space.encode_all([one for one in label.values() if one is not None])
    judges = choose_judge(space).can_judge(known)
    context.emit(
        Noticed(
            message=f"The budget pays for {len(reviews)} of the {len(rows)} reviews by which specialists are chosen; "
            + ("these choose them alone." if judges else "what the models agree on chooses them.")
        )
    )
    return [label.get(row.row) for row in rows] if judges else None


def _write_probe(
    context: RunContext, numbers: Integers, inclusion: Floats, given: Sequence[Answer | None], truth: Truth
) -> None:
    columns = [pa.array(numbers), pa.array(inclusion), pa.array(given, answer_type(context.read_task().kind))]
    table = pa.table(columns, names=["row", "inclusion", "label"])
    write_table(context.folder.audition / "probe.parquet", table)
    labelled = len(given) if truth == "consensus" else len(given) - list(given).count(None)
    context.emit(ProbeLabelled(rows=labelled, truth=truth, unlabelled=len(given) - labelled))
