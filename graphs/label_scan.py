"""One pass over `labels.parquet`: what the report and the terminal say of the labels."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from graphs.tables import read_answer
from records.errors import RunFolderError
from records.folder import RunFolder
from records.rows import INPUT_TEXTS, LABEL_COLUMNS, ROW, ROW_ID, TEXT, TEXT_PAIR
from templates.report import HARDEST_ROWS, HardRow

BATCH = 4096
NO_LABEL = "none of the labels"
"""What is said of a row whose set of labels is empty."""


@dataclass
class LabelScan:
    """Counts over all rows: rows by label, and for each specialist the rows it voted on and those whose final label it
    gave."""

    rows: int = 0
    unlabelled: int = 0
    failed: int = 0
    """Rows that keep their vote since their review failed."""
    undecided: int = 0
    """Rows that keep their vote since the reviewer could not tell."""
    counts: Counter[str] = field(default_factory=Counter)
    voted: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    hardest: tuple[HardRow, ...] = ()

    def agreement(self, model: str) -> float:
        """Return the share of the rows it voted on, from 0 to 1, on which a specialist gave the final label."""
        return self.agreed[model] / self.voted[model] if self.voted[model] else 0.0

    def take(self, row: dict[str, Any]) -> None:
        """Count one more row."""
        self.rows += 1
        self.unlabelled += row["label"] is None
        self.failed += row["review_failed"]
        self.undecided += row["review_label"] is not None and read_answer(row["review_label"]) is None
        if row["label"] is not None:
            self.counts.update(_list_labels(row["label"]) or [NO_LABEL])
            votes = row["votes"] or ()
            self.voted.update(model for model, _ in votes)
            self.agreed.update(model for model, label in votes if label == row["label"])


def scan_labels(folder: RunFolder) -> LabelScan:
    """Return the counts over the labels of a run, and its hardest rows: those of the highest risk.

    Raises RunFolderError where a file is missing or damaged.
    """
    try:
        return _scan(folder)
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(
            f"the labels of {folder.path} cannot be read: {error}", next_step="Restore the file, or start a new run."
        ) from error


def _scan(folder: RunFolder) -> LabelScan:
    scan = LabelScan()
    risky: list[tuple[float, int, dict[str, Any]]] = []
    for number, row in enumerate(_iterate_rows(folder)):
        scan.take(row)
        if row["risk"] is not None:
            heapq.heappush(risky, (row["risk"], -number, row))
            if len(risky) > HARDEST_ROWS:
                heapq.heappop(risky)
    scan.hardest = tuple(_describe_row(row) for _, _, row in sorted(risky, reverse=True))
    return scan


def _iterate_rows(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield each row's id and text with its label columns; both files hold the rows in the input's order."""
    texts = _iterate_file(folder.input, [ROW, ROW_ID, *INPUT_TEXTS])
    for text, label in zip(texts, _iterate_file(folder.labels, list(LABEL_COLUMNS)), strict=True):
        yield {**text, **label}


def _iterate_file(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=columns):
            yield from batch.to_pylist()


def _describe_row(row: dict[str, Any]) -> HardRow:
    return HardRow(
        id=row[ROW_ID],
        text=row[TEXT],
        text_pair=row.get(TEXT_PAIR),
        label=None if row["label"] is None else name_answer(row["label"]),
        source=row["source"] or "",
        risk=row["risk"],
        votes={model: name_answer(said) for model, said in row["votes"] or ()},
        reason=row["reason"] or "",
    )


def name_answer(answer: str | Sequence[str]) -> str:
    """Return a label, or a set of labels, in words."""
    return ", ".join(_list_labels(answer)) or NO_LABEL


def _list_labels(answer: str | Sequence[str]) -> list[str]:
    return [answer] if isinstance(answer, str) else list(answer)
