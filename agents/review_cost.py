"""What a review is expected to cost, in tokens, before it is asked for.

Tokens are characters divided by four, the usual rule for English: no tokenizer is the right one for every endpoint,
and what is decided by these figures are ratios.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from agents.all_rows import measure_reviews
from agents.base import ReviewRow
from agents.prices import price_request
from agents.review_prompts import LONGEST_TEXT, make_ids, render_review
from agents.review_replies import make_form, write_example
from agents.reviewer import ReviewManner
from agents.target import LLMTarget, Terms
from records.ledger import Answer
from records.task import TaskSpec

CHARACTERS_PER_TOKEN = 4.0
BESIDE_TEXT = 28
"""Characters of a row's line beside its text: id, quotes, braces."""


PRICED_ROWS = 100
"""Rows whose price together is that of a row times so many, so that rounding to whole tokens does not show."""


def estimate_tokens(task: TaskSpec, manner: ReviewManner, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the tokens, read and written, of reviewing each text (n_texts,) as one of a full batch."""
    fixed, read, written = _split_tokens(task, manner, texts)
    return fixed / manner.batch + read + written


def _split_tokens(
    task: TaskSpec, manner: ReviewManner, texts: Sequence[str]
) -> tuple[float, npt.NDArray[np.float64], float]:
    """Return the tokens of a request without its rows, and those read (n_texts,) and written for each text."""
    form = make_form(task, thoughts=manner.style == "cot", reasons=manner.reasons)
    blank = (ReviewRow(row=0, text=""),)
    prompt = render_review(task, form, make_ids(blank, 0), blank)
    answer = len(str(write_example(form, 2))) / 2
    lengths = np.array([min(len(text), LONGEST_TEXT) for text in texts], dtype=np.float64)
    fixed = (len(prompt.system) + len(prompt.request)) / CHARACTERS_PER_TOKEN
    return fixed, (BESIDE_TEXT + lengths) / CHARACTERS_PER_TOKEN, answer / CHARACTERS_PER_TOKEN


@dataclass(frozen=True)
class ReviewPrice:
    """What reviews cost, in tokens and USD: a request without its rows, and each row in it. USD are None where no
    price is known.

    `seconds`: how long the endpoint takes for a request; None where it was asked for no review. `counted`: whether the
    tokens are the endpoint's own count and not an estimate from the texts.
    """

    request_tokens: float
    row_tokens: float
    request_usd: float | None
    row_usd: float | None
    seconds: float | None
    counted: bool


FREE = ReviewPrice(0.0, 0.0, 0.0, 0.0, seconds=None, counted=True)
"""What a reviewer costs that is no language model."""


def price_reviews(
    answers: Sequence[Answer],
    task: TaskSpec,
    manner: ReviewManner,
    texts: Sequence[str],
    *,
    target: LLMTarget,
    terms: Terms,
) -> ReviewPrice:
    """Return what reviews will cost, by those that were asked for so far (`answers`), else by the `texts`."""
    measured, _ = measure_reviews(answers)
    if measured is None:
        fixed, tokens, row_out = _split_tokens(task, manner, texts)
        measured_row = float(tokens.mean()) if len(tokens) else 0.0
    else:
        fixed, measured_row, row_out = measured.fixed, measured.row_in, measured.row_out
    rows = round(PRICED_ROWS * measured_row), round(PRICED_ROWS * row_out)
    row_usd = price_request(target, *rows, terms.price, batch=terms.batch_api)
    return ReviewPrice(
        request_tokens=fixed,
        row_tokens=measured_row + row_out,
        request_usd=price_request(target, round(fixed), 0, terms.price, batch=terms.batch_api),
        row_usd=None if row_usd is None else row_usd / PRICED_ROWS,
        seconds=fmean(one.latency for one in answers) if answers else None,
        counted=measured is not None,
    )


def count_requests(rows: float, steps: float, batch: int) -> int:
    """Return how many requests of at most `batch` rows it takes to review so many rows, spread over so many steps."""
    spread = max(min(steps, rows), 1.0)
    return math.ceil(spread) * math.ceil(rows / spread / batch)
