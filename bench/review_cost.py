"""What a review costs: tokens of the project's own prompts, and dollars at a stated price.

Tokens are characters divided by four, the usual rule for English: no tokenizer is the right one for every endpoint,
and the measures are ratios.
"""

from dataclasses import dataclass

import numpy as np

from agents.base import ReviewRow
from agents.review_prompts import make_ids, render_review
from agents.review_replies import make_form, write_example
from bench.streams import Stream
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from specialists.arrays import Booleans

CHARACTERS_PER_TOKEN = 4.0
USD_PER_MILLION = (0.15, 0.60)
"""Input and output: a stated price of a small model, for the table alone."""

BATCH: int = Settings.model_fields["review_batch"].default
_BESIDE_TEXT = 28
"""Characters of a row's line beside its text: id, quotes, braces."""


@dataclass(frozen=True)
class ReviewCost:
    """Tokens of the prompt without rows, of each row's line (its mean), and of the answer for one row."""

    prompt: float
    row: float
    answer: float

    def count_tokens(self, rows: int, batch: int) -> float:
        """Return the tokens, in and out, of reviewing so many rows, `batch` to a request."""
        return -(-rows // batch) * self.prompt + rows * (self.row + self.answer)

    def count_dollars(self, rows: int, batch: int) -> float:
        """Return USD for the same."""
        given, taken = USD_PER_MILLION
        read = -(-rows // batch) * self.prompt + rows * self.row
        return (read * given + rows * self.answer * taken) / 1e6


def weigh_prompt(stream: Stream, rows: Booleans | None = None) -> ReviewCost:
    """Return what reviewing a stream costs; `rows` (n_rows,) marks those whose texts are meant, None all."""
    task = TaskSpec(
        sentence=f"Label each text as {', '.join(stream.labels)}",
        labels=tuple(LabelSpec(name=label) for label in stream.labels),
        text_columns=("text",),
    )
    form = make_form(task, thoughts=False, reasons=False)
    blank = (ReviewRow(row=0, text=""),)
    prompt = render_review(task, form, make_ids(blank, 0), blank, ())
    lengths = np.array([len(text) for text in stream.texts])
    mean = float(lengths.mean() if rows is None else lengths[rows].mean())
    answer = len(str(write_example(form, 2))) / 2
    return ReviewCost(
        prompt=(len(prompt.system) + len(prompt.request)) / CHARACTERS_PER_TOKEN,
        row=(mean + _BESIDE_TEXT) / CHARACTERS_PER_TOKEN,
        answer=answer / CHARACTERS_PER_TOKEN,
    )
