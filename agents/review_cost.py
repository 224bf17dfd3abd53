"""What a review is expected to cost, in tokens, before it is asked for.

Tokens are characters divided by four, the usual rule for English: no tokenizer is the right one for every endpoint,
and what is decided by these figures are ratios.
"""

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


def estimate_tokens(task: TaskSpec, manner: ReviewManner, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the tokens, read and written, of reviewing each text (n_texts,) as one of a full batch."""
    read, written = split_tokens(task, manner, texts)
    return read + written


def split_tokens(task: TaskSpec, manner: ReviewManner, texts: Sequence[str]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the tokens read (n_texts,), and those written, for each text as one of a full batch."""
    form = make_form(task, thoughts=manner.style == "cot", reasons=manner.reasons)
    blank = (ReviewRow(row=0, text=""),)
    prompt = render_review(task, form, make_ids(blank, 0), blank)
    share = (len(prompt.system) + len(prompt.request)) / manner.batch
    answer = len(str(write_example(form, 2))) / 2
    lengths = np.array([min(len(text), LONGEST_TEXT) for text in texts], dtype=np.float64)
    return (share + BESIDE_TEXT + lengths) / CHARACTERS_PER_TOKEN, answer / CHARACTERS_PER_TOKEN


@dataclass(frozen=True)
class ReviewPrice:
    """What a review costs as one of a full batch: tokens read and written, and USD; None where no price is known.

    `seconds`: how long the endpoint takes for a request; None where it was asked for no review. `counted`: whether the
    tokens are the endpoint's own count and not an estimate from the texts.
    """

    read: float
    written: float
    usd: float | None
    seconds: float | None
    counted: bool

    @property
    def tokens(self) -> float:
        return self.read + self.written


FREE = ReviewPrice(read=0.0, written=0.0, usd=0.0, seconds=None, counted=True)
"""What a reviewer costs that is no language model."""


def price_review(
    answers: Sequence[Answer],
    task: TaskSpec,
    manner: ReviewManner,
    texts: Sequence[str],
    *,
    target: LLMTarget,
    terms: Terms,
) -> ReviewPrice:
    """Return what a review will cost, by the reviews that were asked for so far (`answers`), else by the `texts`."""
    measured, _ = measure_reviews(answers)
    if measured is not None:
        read, written = measured.fixed / manner.batch + measured.row_in, measured.row_out
    else:
        tokens, written = split_tokens(task, manner, texts)
        read = float(tokens.mean()) if len(tokens) else 0.0
    request = round(manner.batch * read), round(manner.batch * written)
    usd = price_request(target, *request, terms.price, batch=terms.batch_api)
    return ReviewPrice(
        read=read,
        written=written,
        usd=None if usd is None else usd / manner.batch,
        seconds=fmean(one.latency for one in answers) if answers else None,
        counted=measured is not None,
    )
