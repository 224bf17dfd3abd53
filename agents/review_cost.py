"""What a review is expected to cost, in tokens, before it is asked for.

Tokens are characters divided by four, the usual rule for English: no tokenizer is the right one for every endpoint,
and what is decided by these figures are ratios.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from agents.all_rows import measure_reviews
from agents.asking import Message, begin
from agents.base import ReviewRow
from agents.prices import price_request
from agents.purse import bound_prompt
from agents.review_prompts import LONGEST_TEXT, make_ids, render_review
from agents.review_replies import bound_reply, bound_thinking, make_form, make_schema, write_example
from agents.reviewer import ReviewManner
from agents.target import LLMTarget, Terms
from records.ledger import Answer
from records.rows import RowText
from records.task import TaskSpec

CHARACTERS_PER_TOKEN = 4.0
BESIDE_TEXT, BESIDE_PAIR = 28, 43
"""Characters of a row's line beside its text, or its two texts: id, names, quotes, braces."""


PRICED_ROWS = 100
"""Rows whose price together is that of a row times so many, so that rounding to whole tokens does not show."""


def estimate_tokens(task: TaskSpec, manner: ReviewManner, texts: Sequence[RowText]) -> npt.NDArray[np.float64]:
    """Return the tokens, read and written, of reviewing each text (n_texts,) as one of a full batch."""
    fixed, read, written = _split_tokens(task, manner, texts)
    return fixed / manner.batch + read + written


def _split_tokens(
    task: TaskSpec, manner: ReviewManner, texts: Sequence[RowText]
) -> tuple[float, npt.NDArray[np.float64], float]:
    """Return the tokens of a request without its rows, and those read (n_texts,) and written for each text."""
    form = make_form(task, thoughts=manner.style == "cot", reasons=manner.reasons)
    blank = (ReviewRow(row=0, text=""),)
    prompt = render_review(task, form, make_ids(blank, 0), blank)
    answer = len(str(write_example(form, 2))) / 2
    lengths = np.array([_measure(text) for text in texts], dtype=np.float64)
    fixed = (len(prompt.system) + len(prompt.request)) / CHARACTERS_PER_TOKEN
    return fixed, lengths / CHARACTERS_PER_TOKEN, answer / CHARACTERS_PER_TOKEN


def _measure(text: RowText) -> int:
    """Return the characters of a row's line."""
    beside = BESIDE_TEXT if text.text_pair is None else BESIDE_PAIR
    return beside + sum(min(len(part), LONGEST_TEXT) for part in text.parts)


@dataclass(frozen=True)
class ReviewPrice:
    """What reviews cost, in tokens and USD: a request without its rows, and each row in it; `most_usd`: what the
    dearest request may cost, for which a budget must have room before it is sent. USD are None where no price is known.

    `seconds`: how long the endpoint takes for a request; None where it was asked for no review. `counted`: whether the
    tokens are the endpoint's own count and not an estimate from the texts.
    """

    request_tokens: float
    row_tokens: float
    request_usd: float | None
    row_usd: float | None
    most_usd: float | None
    seconds: float | None
    counted: bool


FREE = ReviewPrice(0.0, 0.0, 0.0, 0.0, 0.0, seconds=None, counted=True)
"""What a reviewer costs that is no language model."""


def price_reviews(
    answers: Sequence[Answer],
    task: TaskSpec,
    manner: ReviewManner,
    texts: Sequence[RowText],
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
        most_usd=price_request(
            target, *_bound_request(answers, task, manner, texts), terms.price, batch=terms.batch_api
        ),
        seconds=fmean(one.latency for one in answers) if answers else None,
        counted=measured is not None,
    )


def _bound_request(
    answers: Sequence[Answer], task: TaskSpec, manner: ReviewManner, texts: Sequence[RowText]
) -> tuple[int, int]:
    """Return the most tokens, read and written, of one request: those sent so far tell it, and the longest texts."""
    form = make_form(task, thoughts=manner.style == "cot", reasons=manner.reasons)
    longest = sorted(texts, key=lambda text: text.length, reverse=True)[: manner.batch]
    rows = tuple(ReviewRow(row=place, **text._asdict()) for place, text in enumerate(longest))
    ids = make_ids(rows, manner.seed)
    prompts = [bound_prompt(begin(render_review(task, form, ids, rows)), make_schema(form, ids))]
    for answer in answers:
        request = json.loads(answer.request)
        messages = [Message.model_validate(one) for one in request["messages"]]
        prompts.append(bound_prompt(messages, request["schema"]))
    counted = [answer.tokens_out for answer in answers if answer.tokens_out is not None]
    thinking = bound_thinking(len(counted), max(counted, default=0))
    return max(prompts), bound_reply(form, manner.batch, thinking)


def count_requests(rows: float, steps: float, batch: int) -> int:
    """Return how many requests of at most `batch` rows it takes to review so many rows, spread over so many steps."""
    spread = max(min(steps, rows), 1.0)
    return math.ceil(spread) * math.ceil(rows / spread / batch)
