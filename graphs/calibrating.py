"""The reviewer is asked about rows whose true labels the person gave, so that its errors are counted on truth."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agents.base import ReviewRequest, ReviewRow
from agents.review_cost import ReviewPrice
from graphs.context import RunContext
from graphs.reviewing import CALIBRATION_STEP, EVIDENCE, GOLD_STEP, gather_known, number_step
from graphs.tables import read_row_ids, read_texts
from records.events import Noticed
from records.folder import write_table
from records.review_book import BookedReview, key_of_answer
from records.rows import Review
from specialists.arrays import Integers
from specialists.probe import LEAST_PROBE_ROWS

FILE_SHARE, BUDGET_SHARE = 0.05, 0.2
"""At most so many are asked about, of the file's rows and of a budget: these answers label no row."""

SALT = 0xCA11B
"""Sets the draw of these rows apart from all others that the run makes with its seed."""


def calibrate_reviewer(context: RunContext, rows: int, pilot: Integers, price: ReviewPrice) -> None:
    """Have a uniform sample of the gold rows reviewed, and write down what was said beside their true labels, which
    they keep. Nothing is asked where the vote does not learn from a reviewer's answers.

    `pilot` (n_pilot,): the rows that were drawn for the pilot, itself uniformly: they come first, so that the forecast
    has them. The sample is bounded by the setting, by FILE_SHARE of all `rows`, and by BUDGET_SHARE at this `price`.
    What was drawn is in `audition/calibration.parquet`. Raises LLMUnreachableError.
    """
    if context.settings.vote != "calibrated" or context.team.reviewer.source not in EVIDENCE:
        return
    path = context.folder.audition / "calibration.parquet"
    if not path.exists():
        numbers, inclusion = _draw(context, rows, pilot, price)
        columns = [pa.array(numbers, pa.int64()), pa.array(np.full(len(numbers), inclusion))]
        write_table(path, pa.table(columns, names=["row", "inclusion"]))
    drawn = pq.read_table(path)
    if len(drawn) and not context.reviews.list_step(CALIBRATION_STEP):
        _ask(context, drawn["row"].to_numpy().tolist(), drawn["inclusion"].to_numpy().tolist())
    if len(drawn):
        _tell(context, len(drawn))


def _draw(context: RunContext, rows: int, pilot: Integers, price: ReviewPrice) -> tuple[list[int], float]:
    """Return the gold rows to ask about, in their order, and the probability with which each was drawn."""
    settings = context.settings
    gold = np.array([one.review.row for one in context.reviews.list_step(GOLD_STEP)], dtype=np.int64)
    order = np.random.default_rng((SALT, settings.seed)).permutation(gold)
    order = order[np.argsort(~np.isin(order, pilot), kind="stable")]
    size = min(settings.calibration_size, max(LEAST_PROBE_ROWS, math.ceil(FILE_SHARE * rows)))
    if settings.budget is not None and price.row_usd and price.request_usd is not None:
        size = min(size, math.floor(BUDGET_SHARE * settings.budget / (price.row_usd + price.request_usd)))
    drawn = sorted(order[:size].tolist())
    return drawn, len(drawn) / max(len(gold), 1)


def _ask(context: RunContext, numbers: list[int], inclusion: list[float]) -> None:
    settings = context.settings
    texts = read_texts(context.folder, numbers, settings.shard_size)
    ids = read_row_ids(context.folder, numbers, settings.shard_size)
    request = ReviewRequest(
        task=context.read_task(),
        rows=tuple(ReviewRow(row=number, **text._asdict()) for number, text in zip(numbers, texts, strict=True)),
        known=gather_known(context.reviews, number_step(0, "risk"), context.folder, settings.shard_size)
        if settings.review_style == "few"
        else (),
    )
    facts = dict(zip(numbers, zip(texts, ids, inclusion, strict=True), strict=True))
    reviews = context.team.reviewer.review(request)
    context.reviews.record(
        [key_of_answer(*facts[one.row][0]) for one in reviews],
        [_book(one, facts[one.row][1], facts[one.row][2]) for one in reviews],
    )


def _book(review: Review, row_id: str, inclusion: float) -> BookedReview:
    return BookedReview(step=CALIBRATION_STEP, row_id=row_id, review=review, inclusion=inclusion)


def _tell(context: RunContext, drawn: int) -> None:
    """Tell how the reviewer did; a budget may have ended before all were asked."""
    gold = {one.review.row: one.review.answer for one in context.reviews.list_step(GOLD_STEP)}
    said = [one.review for one in context.reviews.list_step(CALIBRATION_STEP)]
    answered = [one for one in said if one.answer is not None]
    right = sum(one.answer == gold[one.row] for one in answered)
    short = "" if len(said) == drawn else f" (the budget did not pay for {drawn - len(said):,} more)"
    context.emit(
        Noticed(
            message=f"The reviewer was asked about {len(said):,} gold rows{short}: {len(answered):,} answers, "
            f"{right:,} as the gold label."
        )
    )
