"""The columns of the tables that a run writes, and the records of a vote and a review."""

from typing import Literal

import pyarrow as pa

from records.base import Record

Source = Literal["vote", "llm", "human", "gold", "offline"]

ROW = "__row__"
"""The internal row number (int64, from 0, in the input's order) in `input.parquet` and the stage tables."""
ROW_ID = "__id__"
"""The row's own id as text, as the file gives it, else its row number; need not be unique."""
TEXT = "__text__"
"""The text to label: the text columns joined by a line break, an empty string where there is none."""

LABEL_COLUMNS: dict[str, pa.DataType] = {
    "label": pa.string(),
    "confidence": pa.float64(),
    "source": pa.string(),
    "agreement": pa.float64(),
    "votes": pa.map_(pa.string(), pa.string()),
    "risk": pa.float64(),
    "stage": pa.int32(),
    "review_label": pa.string(),
    "review_failed": pa.bool_(),
    "copied_from": pa.string(),
    "reason": pa.string(),
}
"""What `labels.parquet` adds to the original columns, in this order."""

SCRIPT_INPUT = pa.schema([("id", pa.int64()), ("text", pa.string())])
"""What a generated annotate script reads; `id` is the internal row number."""


def script_output(labels: int, features: int | None = None) -> pa.Schema:
    """Return the schema that a generated annotate script writes.

    `label` is the task label of the highest probability, `score` that probability, `probs` all of them in the
    order of `labels.json` (summing to 1), and `features`, where asked for, the mean-pooled last hidden state.
    """
    fields: list[tuple[str, pa.DataType]] = [
        ("id", pa.int64()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("probs", pa.list_(pa.float32(), labels)),
    ]
    if features is not None:
        fields.append(("features", pa.list_(pa.float16(), features)))
    return pa.schema(fields)


class Review(Record):
    """A reviewer's answer for one row. `label` is None where it could not tell or failed; `reason` then says why."""

    row: int
    label: str | None
    source: Source
    sureness: float | None = None
    """How sure the reviewer says it is, from 0 to 1."""
    failed: bool = False
    reason: str = ""
