"""The rows that somebody labelled in earlier stages, as the specialists that vote now see them.

The vote is fitted to them. They are kept by the step that labelled them, with each specialist's probabilities and
hidden states, in the run's scratch folder; a version that was promoted since annotates them anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphs.context import RunContext
from graphs.engine import Receipt, Shard
from graphs.reviewing import number_step
from graphs.state import RunState
from graphs.tables import read_texts, shards_for, strings_of, write_shards
from records.folder import write_json, write_table
from records.review_book import FIRST_STEP, BookedReview

MOST_TAUGHT = 20_000
"""Rows of earlier stages that the vote is fitted to, about: the latest stages' are taken until there are so many."""

_ALL = 2**62


@dataclass(frozen=True)
class TaughtSet:
    """The rows that one stage's reviews labelled, or gold rows and the probe's: by their number in the file, and the
    shard files that hold their texts."""

    reviews: tuple[BookedReview, ...]
    inputs: tuple[Path, ...]

    def read_texts(self) -> list[str]:
        """Return the texts, in the order of `reviews`."""
        return [text for path in self.inputs for text in strings_of(pq.read_table(path, columns=["text"]), "text")]

    def shards(self, model: str, version: int) -> tuple[Shard, ...]:
        """Return where a specialist's annotations of these rows are."""
        return shards_for(self.inputs, f"{model}-v{version}")


def list_taught(context: RunContext, stage: int) -> tuple[TaughtSet, ...]:
    """Return the sets of the stages before this one, the latest first, about MOST_TAUGHT rows."""
    sets: list[TaughtSet] = []
    for earlier in range(stage - 1, -2, -1):
        if sum(len(one.reviews) for one in sets) < MOST_TAUGHT:
            sets.append(_gather_set(context, earlier))
    return tuple(one for one in sets if one.reviews)


def keep_taught(context: RunContext, state: RunState, annotations: dict[str, pa.Table]) -> None:
    """Keep this stage's reviewed rows out of the specialists' annotations of the whole stage (model → table)."""
    for shard in _gather_set(context, state["stage"]).inputs:
        wanted = pq.read_table(shard, columns=["id"])["id"]
        for model, table in annotations.items():
            (kept,) = shards_for([shard], f"{model}-v{state['versions'][model]}")
            if not kept.receipt.exists():
                places = pc.index_in(wanted, table["id"].combine_chunks())
                write_table(kept.output, table.take(places).replace_schema_metadata(None))
                write_json(kept.receipt, Receipt(id=shard.stem, rows=len(wanted), seconds=0.0))


def first_step(stage: int) -> int:
    """Return the number of a stage's first step; -1 is the time before the first stage."""
    return FIRST_STEP if stage < 0 else number_step(stage, "risk")


def _gather_set(context: RunContext, stage: int) -> TaughtSet:
    found = context.reviews.list_labelled(first_step(stage + 1), _ALL, from_step=first_step(stage))
    reviews = tuple(sorted(found, key=lambda one: one.review.row))
    return TaughtSet(reviews, _write_set(context, stage, reviews))


def _write_set(context: RunContext, stage: int, reviews: Sequence[BookedReview]) -> tuple[Path, ...]:
    numbers, size = [one.review.row for one in reviews], context.settings.shard_size
    folder = context.folder.scratch / "taught" / f"set-{stage + 1:04d}"
    return write_shards(folder, numbers, read_texts(context.folder, numbers, size), size)
