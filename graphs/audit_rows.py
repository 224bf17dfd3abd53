"""The rows of a run after its last stage: their labels with all that was reviewed since, and which were reviewed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from graphs.context import RunContext
from graphs.deciding import decide_audited
from graphs.reviewing import apply_reviews
from graphs.state import RunState
from graphs.tables import StageRows, read_stage_labels, read_stage_rows, read_texts
from records.review_book import BookedReview, key_of_bytes, key_of_row, key_of_text
from records.rows import ROW, RowText
from specialists.arrays import Booleans, Floats, Integers
from specialists.combination import NOT_ASKED
from specialists.label_space import make_space

NO_LABEL = NOT_ASKED
"""In place of an answer's code: the row has no label, or its review gave none."""


@dataclass(frozen=True)
class FinalRows:
    """The rows that have a text, arrays (n_rows,) in the input's order. `row`: its number; `group`: shared by texts
    that are the same to the byte; `label`: the code of its label or labels; `risk`: the estimated probability that it
    is wrong. `asked`: whether the row itself was reviewed, with `answer` the label that the review gave; `gold`:
    whether that was the person's own label. `settled`: whether it has the answer to a text that is the same but for
    white space and case."""

    row: Integers
    group: Integers
    label: Integers
    risk: Floats
    asked: Booleans
    answer: Integers
    gold: Booleans
    settled: Booleans

    @property
    def reviewed(self) -> Booleans:
        """Which rows count as reviewed: also those whose text, the same to the byte, was."""
        return np.isin(self.group, self.group[self.asked])

    @property
    def differs(self) -> Booleans:
        """Which reviewed rows have another label than the expert's, or no answer."""
        groups, first = np.unique(self.group[self.asked], return_index=True)
        place = np.minimum(np.searchsorted(groups, self.group), max(len(groups) - 1, 0))
        answer = self.answer[self.asked][first][place] if len(groups) else np.full(len(self.row), NO_LABEL)
        return self.reviewed & ((answer == NO_LABEL) | (answer != self.label))

    def take(self, places: Integers) -> "FinalRows":
        """Return the rows at these places."""
        return FinalRows(*(getattr(self, field.name)[places] for field in fields(self)))


def read_final_labels(context: RunContext, state: RunState, stage: int, *, held_gold: bool = True) -> pa.Table:
    """Return the label table of a stage with what was reviewed after it, in later stages and in audits.

    Under a target a row that was reviewed since takes the expert's answer; without one its label is decided as any
    reviewed row's. The table in the run folder stays as the stage left it. `held_gold`: with the gold rows that were
    set aside and have certified.
    """
    table, rows = read_stage_labels(context.folder, stage), _read_stage(context, state, stage)
    keys = [key_of_row(number) for number in rows.number.tolist()]
    if held_gold and (gold := context.reviews.find(keys)):
        table = apply_reviews(table, [gold.get(key) for key in keys])
    late = _find_late(context, table, rows)
    return decide_audited(context, state, stage, table, late) if any(late) else table


def _read_stage(context: RunContext, state: RunState, stage: int) -> StageRows:
    return read_stage_rows(context.folder, stage, state["stage_size"], context.settings.shard_size)


def _find_late(context: RunContext, table: pa.Table, rows: StageRows) -> list[BookedReview | None]:
    """Return for each row without a review of its own what was said later of its text, the same to the byte: in an
    audit, or, where the stage knew no review of such a text, in a later stage."""
    reviewed, copied = _list_reviewed(table), table["copied_from"].to_pylist()
    audited = context.reviews.find([key_of_bytes(*text) for text in rows.text])
    alike = context.reviews.find(
        [key_of_text(*text) for text, known in zip(rows.text, reviewed, strict=True) if not known]
    )
    texts = _read_reviewed_texts(context, [one.review.row for one in alike.values()])
    late: list[BookedReview | None] = []
    for text, known, copy_of in zip(rows.text, reviewed, copied, strict=True):
        one = audited.get(key_of_bytes(*text)) if not known or copy_of is not None else None
        same = alike.get(key_of_text(*text)) if not known else None
        late.append(one or (same if same is not None and texts[same.review.row] == text else None))
    return late


def _list_reviewed(table: pa.Table) -> list[bool]:
    return [
        label is not None or bool(failed)
        for label, failed in zip(table["review_label"].to_pylist(), table["review_failed"].to_pylist(), strict=True)
    ]


def _read_reviewed_texts(context: RunContext, numbers: Sequence[int]) -> dict[int, RowText]:
    return dict(zip(numbers, read_texts(context.folder, numbers, context.settings.shard_size), strict=True))


def scan_rows(context: RunContext, state: RunState, *, held_gold: bool = True) -> FinalRows:
    """Return every row that has a text, with its label of `read_final_labels`."""
    parts = list(_scan_stages(context, state, held_gold=held_gold))
    return FinalRows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(FinalRows)))


def _scan_stages(context: RunContext, state: RunState, *, held_gold: bool) -> Iterator[FinalRows]:
    space = make_space(context.read_task())
    for stage in range(state["stages"]):
        table, rows = read_final_labels(context, state, stage, held_gold=held_gold), _read_stage(context, state, stage)
        columns = {name: table[name].to_pylist() for name in ("label", "review_label", "copied_from", "source")}
        label, answer = space.encode_all(columns["label"]), space.encode_all(columns["review_label"])
        copied = np.array([one is not None for one in columns["copied_from"]], dtype=np.bool_)
        risk = table["risk"].to_numpy(zero_copy_only=False).astype(np.float64)
        everything = FinalRows(
            row=table[ROW].to_numpy().astype(np.int64),
            group=np.array([group_text(text) for text in rows.text], dtype=np.int64),
            label=label,
            risk=np.nan_to_num(risk, nan=1.0),
            asked=np.array(_list_reviewed(table), dtype=np.bool_) & ~copied,
            answer=answer,
            gold=np.array([one == "gold" for one in columns["source"]], dtype=np.bool_),
            settled=copied & (answer != NO_LABEL) & (answer == label),
        )
        yield everything.take(np.flatnonzero(~rows.empty))


def group_text(text: RowText) -> int:
    """Return a number that texts share which are the same to the byte (two others with a chance of 2^-64)."""
    digest = hashlib.blake2b(key_of_bytes(*text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
