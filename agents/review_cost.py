"""What a review is expected to cost, in tokens, before it is asked for.

Tokens are characters divided by four, the usual rule for English: no tokenizer is the right one for every endpoint,
and what is decided by these figures are ratios.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agents.base import ReviewRow
from agents.review_prompts import LONGEST_TEXT, make_ids, render_review
from agents.review_replies import make_form, write_example
from agents.reviewer import ReviewManner
from records.task import TaskSpec

CHARACTERS_PER_TOKEN = 4.0
BESIDE_TEXT = 28
"""Characters of a row's line beside its text: id, quotes, braces."""


def estimate_tokens(task: TaskSpec, manner: ReviewManner, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the tokens, read and written, of reviewing each text (n_texts,) as one of a full batch."""
    form = make_form(task, thoughts=manner.style == "cot", reasons=manner.reasons)
    blank = (ReviewRow(row=0, text=""),)
    prompt = render_review(task, form, make_ids(blank, 0), blank)
    share = (len(prompt.system) + len(prompt.request)) / manner.batch
    answer = len(str(write_example(form, 2))) / 2
    lengths = np.array([min(len(text), LONGEST_TEXT) for text in texts], dtype=np.float64)
    return (share + BESIDE_TEXT + lengths + answer) / CHARACTERS_PER_TOKEN
