"""What the audit asks of the vote: the label of a row that was reviewed after the last learning, and the risks."""

from collections.abc import Sequence

import pyarrow as pa

from graphs.context import RunContext
from graphs.reviewing import apply_reviews
from graphs.state import RunState
from records.review_book import BookedReview
from specialists.arrays import Floats


def decide_audited(
    context: RunContext, state: RunState, stage: int, table: pa.Table, booked: Sequence[BookedReview | None]
) -> pa.Table:
    """Return a stage's labels with reviews in them that came after its end, decided as those before it were.

    `table` holds the stage's labels (n_rows,) as the stage left them, `booked` (n_rows,) the later reviews, None where
    there is none. Nothing is fitted, and nothing is read that a finished run has removed: the same reviews give the
    same labels whenever they are asked for.
    """
    return apply_reviews(table, booked)


def expect_difference(context: RunContext, state: RunState, risk: Floats) -> Floats:
    """Return the estimated probability that the expert's answer differs from a row's label (n_rows,), from that of the
    label being wrong. It decides in which order rows are widened and how large an audit is planned, and nothing of
    what is certified."""
    return risk
