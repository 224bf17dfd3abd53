"""The rows that somebody labelled in earlier stages, as the specialists that vote now see them.

The vote is fitted to them. They are kept by the step that labelled them, with each specialist's probabilities and
hidden states, in the run's scratch folder; a version that was promoted since annotates them anew, but for the rows that
taught it: of what it learned by heart it would seem surer and better than it is. For these the version before speaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphs.annotations import merge_shards, shards_for, write_shards
from graphs.context import RunContext
from graphs.engine import Receipt, Shard
from graphs.reviewing import number_step
from graphs.state import RunState
from graphs.tables import read_texts
from records.base import Record
from records.folder import RunFolder, read_record, write_json, write_table
from records.review_book import FIRST_STEP, BookedReview
from records.rows import SCRIPT_TEXTS, RowText, read_row_texts
from specialists.label_space import LabelSpace

MOST_TAUGHT = 20_000
"""Rows of earlier stages that the vote is fitted to, about: the latest stages' are taken until there are so many."""

_ALL = 2**62


@dataclass(frozen=True)
class TaughtSet:
    """The rows that one stage's reviews labelled, or gold rows and the probe's: by their number in the file, and the
    shard files that hold their texts."""

    reviews: tuple[BookedReview, ...]
    inputs: tuple[Path, ...]

    def read_texts(self) -> list[RowText]:
        """Return the texts, in the order of `reviews`."""
        return [text for path in self.inputs for text in read_row_texts(pq.read_table(path), SCRIPT_TEXTS)]

    def shards(self, model: str, version: int) -> tuple[Shard, ...]:
        """Return where a specialist's annotations of these rows are."""
        return shards_for(self.inputs, f"{model}-v{version}")

    def read_annotations(self, model: str, version: int, untaught: Mapping[int, int], space: LabelSpace) -> pa.Table:
        """Return a specialist's annotations of these rows, in their order: by its present version, and those that
        taught it by the one that `untaught` says."""
        versions = [untaught.get(one.review.row, version) for one in self.reviews]
        tables = {one: merge_shards(self.shards(model, one), space) for one in sorted({version, *versions})}
        first = dict(zip(tables, range(0, len(tables) * len(versions), max(len(versions), 1)), strict=True))
        places = [first[one] + place for place, one in enumerate(versions)]
        return pa.concat_tables(tables.values()).take(pa.array(places, pa.int64()))


class Lesson(Record):
    """What made a fine-tuned version (`models/<model>/vN/lesson.json`): the version that it was taught from, and the
    numbers of the rows that it was taught."""

    came_from: int
    rows: tuple[int, ...]


def lesson_file(version: Path) -> Path:
    """Return where the lesson of a fine-tuned version is kept, in its folder."""
    return version / "lesson.json"


def find_untaught(folder: RunFolder, model: str, version: int) -> dict[int, int]:
    """Return row number → the last version of a specialist that the row did not teach, for all rows which taught this
    version or one that it came from."""
    untaught: dict[int, int] = {}
    while version:
        lesson = read_record(lesson_file(folder.model(model, version)), Lesson)
        version = lesson.came_from
        untaught |= dict.fromkeys(lesson.rows, version)
    return untaught


def list_missing(sets: Sequence[TaughtSet], model: str, untaught: Mapping[int, int]) -> dict[int, tuple[Shard, ...]]:
    """Return earlier version → what it has not annotated, of the rows for which it has to speak. It did so when it
    voted; a run that has ended and is taken up again has its scratch files no more."""
    missing: dict[int, tuple[Shard, ...]] = {}
    for version in sorted(set(untaught.values())):
        wanted = [one for one in sets if any(untaught.get(row.review.row) == version for row in one.reviews)]
        shards = [shard for one in wanted for shard in one.shards(model, version) if not shard.receipt.exists()]
        if shards:
            missing[version] = tuple(shards)
    return missing


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
