"""The columns of the tables that a run writes, and the records of a vote and a review."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import model_validator

from records.base import Record
from records.task import Kind

Source = Literal["vote", "llm", "human", "gold", "offline"]
SurenessFrom = Literal["logprob", "stated"]
"""The log-probability of the label's tokens, or the number that the reviewer wrote."""

ROW = "__row__"
"""The internal row number (int64, from 0, in the input's order) in `input.parquet` and the stage tables."""
ROW_ID = "__id__"
"""The row's own id as text, as the file gives it, else its row number; need not be unique."""
TEXT = "__text__"
"""The text to label: the text columns joined by a line break, an empty string where there is none."""
TEXT_PAIR = "__text_pair__"
"""Where the task is about pairs the second text, from the second text column; TEXT is then the first column's alone."""
INPUT_TEXTS, SCRIPT_TEXTS = (TEXT, TEXT_PAIR), ("text", "text_pair")
"""The columns of a row's texts in `input.parquet`, and in what scripts read; the second is there only for pairs."""

Answer = str | tuple[str, ...]
"""What somebody says of a row: its label, or all its labels, in the task's order, where a text has any number."""


def answer_type(kind: Kind) -> pa.DataType:
    """Return the type of a column of answers: text, or a list of text in a multi-label task."""
    return pa.list_(pa.string()) if kind == "multi_label" else pa.string()


def label_columns(kind: Kind = "single_label") -> dict[str, pa.DataType]:
    """Return what `labels.parquet` adds to the original columns, in this order."""
    answer = answer_type(kind)
    return {
        "label": answer,
        "confidence": pa.float64(),
        "source": pa.string(),
        "agreement": pa.float64(),
        "votes": pa.map_(pa.string(), answer),
        "risk": pa.float64(),
        "stage": pa.int32(),
        "review_label": answer,
        "review_failed": pa.bool_(),
        "copied_from": pa.string(),
        "reason": pa.string(),
    }


LABEL_COLUMNS = tuple(label_columns())
"""Their names."""


class RowText(NamedTuple):
    """What a row is labelled by: its text, and in a task about pairs its second text too."""

    text: str
    text_pair: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The one text, or both."""
        return (self.text,) if self.text_pair is None else (self.text, self.text_pair)

    @property
    def length(self) -> int:
        """Characters."""
        return sum(map(len, self.parts))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to label: a pair of which one text is empty may still be judged."""
        return not any(part.strip() for part in self.parts)


def read_row_texts(table: pa.Table, names: Sequence[str]) -> list[RowText]:
    """Return the texts of a table's rows, from those of the columns `names` that it has."""
    columns = [table[name].to_pylist() for name in names if name in table.column_names]
    return [RowText(*parts) for parts in zip(*columns, strict=True)]


def script_input(kind: Kind = "single_label") -> pa.Schema:
    """Return the schema that a generated annotate script reads; `id` is the internal row number."""
    fields: list[tuple[str, pa.DataType]] = [("id", pa.int64()), ("text", pa.string())]
    if kind == "text_pair":
        fields.append(("text_pair", pa.string()))
    return pa.schema(fields)


def tabulate_texts(numbers: Sequence[int], texts: Sequence[RowText]) -> pa.Table:
    """Return rows as a generated script reads them: their numbers and texts (n_rows,), of pairs both."""
    schema = script_input("text_pair" if any(text.text_pair is not None for text in texts) else "single_label")
    columns = {"id": numbers, **{name: [getattr(text, name) for text in texts] for name in SCRIPT_TEXTS}}
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def script_output(
    labels: int, features: int | None = None, kind: Kind = "single_label", classes: int | None = None
) -> pa.Schema:
    """Return the schema that a generated annotate script writes.

    `label` is the task label of the highest probability, `score` that probability, `probs` all of them in the
    order of `labels.json` (summing to 1), and `features`, where asked for, the mean-pooled last hidden state.
    In a multi-label task `probs` are independent of each other, and `label` is the list of those from 0.5 on.
    `class_probs`, where asked for, are the probabilities of the model's own classes, as its logits are read, before
    the label map.
    """
    fields: list[tuple[str, pa.DataType]] = [
        ("id", pa.int64()),
        ("label", answer_type(kind)),
        ("score", pa.float32()),
        ("probs", pa.list_(pa.float32(), labels)),
    ]
    if features is not None:
        fields.append(("features", pa.list_(pa.float16(), features)))
    if classes is not None:
        fields.append(("class_probs", pa.list_(pa.float32(), classes)))
    return pa.schema(fields)


class Review(Record):
    """A reviewer's answer for one row: its label (`label`, or `labels` where a text may have any number of them), or
    that it cannot tell (`undecided`), or none at all (`failed`, and `reason` says why). Exactly one of these.
    """

    row: int
    label: str | None = None
    labels: tuple[str, ...] | None = None
    undecided: bool = False
    failed: bool = False
    source: Source
    sureness: float | None = None
    """How likely the reviewer holds its answer to be right, from 0 to 1; not calibrated. None where it did not say."""
    sureness_from: SurenessFrom | None = None
    """None where it was neither: a classifier's probability, say."""
    reason: str = ""

    @property
    def answer(self) -> Answer | None:
        """Its label or labels; None where it has none to give."""
        return self.label if self.labels is None else self.labels

    @model_validator(mode="after")
    def _check_one_answer(self) -> Self:
        answers = (self.label is not None, self.labels is not None, self.undecided, self.failed)
        if sum(answers) != 1:
            raise ValueError(f"a review is one of label, labels, undecided and failed, got {sum(answers)} of them")
        return self


def make_review(row: int, answer: Answer, *, source: Source, sureness: float | None = None) -> Review:
    """Return the review that says this of a row: a label, or a set of labels."""
    label, labels = (answer, None) if isinstance(answer, str) else (None, answer)
    return Review(row=row, label=label, labels=labels, source=source, sureness=sureness)
