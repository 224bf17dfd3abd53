"""What the audit asks of the vote: the label of a row that was reviewed after the last learning, and how probable it is
that a reviewer says otherwise."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from graphs.context import RunContext
from graphs.expert import takes_answers
from graphs.reviewing import apply_reviews, read_sureness
from graphs.state import RunState
from graphs.tables import DIFFERS, OPINION, read_stage_labels
from records.folder import read_record
from records.review_book import BookedReview
from records.rows import Answer
from specialists.arrays import Floats
from specialists.label_space import make_space
from specialists.weighing import WeighingRecord, restore_weighing


def decide_audited(
    context: RunContext, state: RunState, stage: int, table: pa.Table, booked: Sequence[BookedReview | None]
) -> pa.Table:
    """Return a stage's labels with reviews in them that came after its end, decided as those before it were.

    `table` holds the stage's labels (n_rows,) as the stage left them, `booked` (n_rows,) the later reviews, None where
    there is none. Where the vote was calibrated the answer is weighed as evidence with the stage's own parameters;
    where the expert's answers are taken it is the label, whose probability is weighed so. People's and gold answers,
    and all under another vote, stand as they are. Nothing is fitted, and nothing is read that a finished run has
    removed: the same reviews give the same labels whenever they are asked for.
    """
    path = context.folder.combination(stage)
    opinions = table[OPINION].to_pylist()
    weighed = [
        place
        for place, (one, opinion) in enumerate(zip(booked, opinions, strict=True))
        if one is not None and one.review.source == "llm" and one.review.answer is not None and opinion is not None
    ]
    decided: list[tuple[Answer, float] | None] = [None] * len(table)
    if weighed and path.exists():
        space = make_space(context.read_task())
        weighing = restore_weighing(read_record(path, WeighingRecord), space)
        opinion = np.array([opinions[place] for place in weighed], dtype=np.float64)
        reviews = [one.review for one in map(booked.__getitem__, weighed) if one is not None]
        said = space.encode_all([one.answer for one in reviews])
        after = weighing.weigh_answers(opinion, said, read_sureness(reviews))
        best = said if takes_answers(context) else weighing.pick(after)
        for place, code, sure in zip(weighed, best.tolist(), space.rate(after, best).tolist(), strict=True):
            decided[place] = space.decode(code), sure
    return apply_reviews(table, booked, decided)


def expect_difference(context: RunContext, state: RunState, risk: Floats) -> Floats:
    """Return the estimated probability that the expert's answer differs from a row's label (n_rows,), which is more
    than that of the label being wrong where the expert errs too; `risk` itself where the vote knows no expert.

    Rows without a text are left out. It decides in which order rows are widened and how large an audit is planned, and
    nothing of what is certified.
    """
    parts: list[Floats] = []
    for stage in range(state["stages"]):
        table = read_stage_labels(context.folder, stage)
        filled = table[DIFFERS].to_numpy(zero_copy_only=False).astype(np.float64)
        parts.append(filled[np.array([label is not None for label in table["votes"].to_pylist()], dtype=np.bool_)])
    differs = np.concatenate(parts)
    return np.where(np.isfinite(differs), differs, risk)
