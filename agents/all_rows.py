"""What labelling every row with the language model would have cost, told from the reviews that a run did ask for."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from agents.prices import Price, price_request
from agents.review_prompts import measure_review
from agents.target import LLMTarget
from records.ledger import Answer
from records.outcome import AllRows, RowsEstimate


@dataclass(frozen=True)
class Measured:
    """Tokens, as counted on average: of a request without its rows, and, for each of its rows, read and written."""

    fixed: float
    row_in: float
    row_out: float


def estimate_all_rows(
    answers: Iterable[Answer], rows: int, batch: int, target: LLMTarget, price: Price | None
) -> AllRows:
    """Return what `rows` rows would have cost this model, one in a request and `batch` in a request.

    By the run's own reviews: of each that was asked for the first time and counted by the endpoint, the prompt's bytes
    in UTF-8 are split into those of its rows and the rest, and scaled to the tokens that the endpoint counted in all.
    A reply's tokens are taken to be in proportion to its rows. So the rows are taken to be as long as the reviewed
    ones, no reply to be at fault, and no text to be the same as another. `usd` is None where no price is known; without
    a counted review there is no estimate, and `reason` says so.
    """
    measured, reason = measure_reviews(answers)
    if measured is None or not rows:
        return AllRows(rows=rows, reason=reason or "the file has no row with a text")
    return AllRows(
        rows=rows,
        batch=batch,
        single=_estimate(measured, rows, rows, target, price),
        batched=_estimate(measured, rows, math.ceil(rows / batch), target, price),
    )


def measure_reviews(answers: Iterable[Answer]) -> tuple[Measured | None, str]:
    """Return the tokens that the endpoint counted on a run's reviews, or None and why there are none."""
    requests = counted = fixed = row_bytes = rows = tokens_in = tokens_out = 0
    for answer in answers:
        length = measure_review([message["content"] for message in json.loads(answer.request)["messages"]])
        requests += 1
        if length is None or answer.tokens_in is None or answer.tokens_out is None:
            continue
        counted += 1
        fixed, row_bytes, rows = fixed + length.fixed, row_bytes + length.row_bytes, rows + length.rows
        tokens_in, tokens_out = tokens_in + answer.tokens_in, tokens_out + answer.tokens_out
    if not counted:
        reason = "the endpoint counted the tokens of no review" if requests else "no row was reviewed by it"
        return None, reason
    scale = tokens_in / (fixed + row_bytes)
    return Measured(fixed=scale * fixed / counted, row_in=scale * row_bytes / rows, row_out=tokens_out / rows), ""


def _estimate(measured: Measured, rows: int, requests: int, target: LLMTarget, price: Price | None) -> RowsEstimate:
    share = rows / requests
    tokens_in, tokens_out = round(measured.fixed + share * measured.row_in), round(share * measured.row_out)
    usd = price_request(target, tokens_in, tokens_out, price)
    return RowsEstimate(
        requests=requests,
        tokens_in=requests * tokens_in,
        tokens_out=requests * tokens_out,
        usd=None if usd is None else requests * usd,
    )
