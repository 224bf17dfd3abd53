"""What taught a specialist is seen as the version before saw it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.annotations import probs_of, shards_for, write_shards
from graphs.engine import Receipt
from graphs.taught import Lesson, TaughtSet, find_untaught, lesson_file, list_missing
from records.folder import RunFolder, write_json, write_table
from records.review_book import BookedReview
from records.rows import Review, RowText, script_output
from specialists.label_space import OneLabel

MODEL, LABELS = "ann--one", ("positive", "negative")
ROWS = (3, 5, 8, 13, 21)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run in which version 2 came from 0, and 5 from 2; 4 was rejected."""
    run = RunFolder(tmp_path)
    for version, came_from, rows in ((2, 0, (3, 8)), (4, 2, (13,)), (5, 2, (5, 8))):
        write_json(lesson_file(run.model(MODEL, version)), Lesson(came_from=came_from, rows=rows))
    return run


def make_set(folder: RunFolder, *versions: int) -> TaughtSet:
    """Return a set of which these versions have annotated all rows, each with a probability of its own."""
    inputs = write_shards(folder.scratch / "set", list(ROWS), [RowText(f"text {row}") for row in ROWS], 2)
    reviews = [BookedReview(step=0, row_id="r", review=Review(row=row, label="positive", source="llm")) for row in ROWS]
    for version in versions:
        for shard in shards_for(inputs, f"{MODEL}-v{version}"):
            rows = pq.read_table(shard.input)["id"]
            sure = np.float32(0.9 - 0.05 * version)
            table = {"id": rows, "label": ["positive"] * len(rows), "score": [sure] * len(rows)}
            probs = [[sure, 1 - sure]] * len(rows)
            write_table(shard.output, pa.table({**table, "probs": probs}, schema=script_output(len(LABELS))))
            write_json(shard.receipt, Receipt(id=shard.input.stem, rows=len(rows), seconds=0.0))
    return TaughtSet(tuple(reviews), inputs)


def test_a_row_has_the_last_version_that_it_did_not_teach(folder: RunFolder) -> None:
    assert find_untaught(folder, MODEL, 5) == {3: 0, 8: 0, 5: 2}, "a row that taught twice: before the first time"
    assert find_untaught(folder, MODEL, 2) == {3: 0, 8: 0}
    assert find_untaught(folder, MODEL, 0) == {}


def test_annotations_are_by_a_version_that_the_row_did_not_teach(folder: RunFolder) -> None:
    taught = make_set(folder, 0, 2, 5)
    table = taught.read_annotations(MODEL, 5, find_untaught(folder, MODEL, 5), OneLabel(LABELS))
    assert table["id"].to_pylist() == list(ROWS)
    assert probs_of(table)[:, 0] == pytest.approx([0.9, 0.8, 0.9, 0.65, 0.65])


def test_what_an_earlier_version_has_not_annotated_is_listed(folder: RunFolder) -> None:
    taught = make_set(folder, 2, 5)
    missing = list_missing([taught], MODEL, find_untaught(folder, MODEL, 5))
    assert missing == {0: taught.shards(MODEL, 0)}
    assert list_missing([make_set(folder, 0)], MODEL, find_untaught(folder, MODEL, 5)) == {}
