"""Which rows are drawn for people, and that what follows from them holds: over many draws, without a run."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.people import PeopleSample, draw_sample
from records.errors import PersonError
from records.folder import RunFolder, read_record, write_yaml
from records.rows import ROW, ROW_ID, TEXT
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from records.task_file import write_task
from specialists.bounds import bound_total

ROWS, DRAWN = 100, 30
GIVEN, COPIES, EMPTY = range(0, 10), range(10, 15), range(15, 20)
"""Rows with a gold label of their own, rows that share one, and rows without a label."""
DIFFERING = 22
"""Of the last rows as many differ."""


def write_run(path: Path, *, ids: list[str], seed: int = 0) -> RunFolder:
    """Write what a finished run has of what a draw reads."""
    path.mkdir()
    folder = RunFolder(path)
    texts = [f"text {number}" for number in range(ROWS)]
    rows = pa.table({ROW: range(ROWS), ROW_ID: ids, TEXT: texts, "id": ids, "Label": texts})
    pq.write_table(rows, folder.input, row_group_size=7)
    source = ["gold" if n < 15 else None if n < 20 else "llm" if n % 3 else "vote" for n in range(ROWS)]
    labels = {
        "label": [None if n in EMPTY else "yes" for n in range(ROWS)],
        "source": source,
        "copied_from": ["0" if n in COPIES or n == 50 else None for n in range(ROWS)],
    }
    pq.write_table(pa.table(labels), folder.labels)
    task = TaskSpec(sentence="Yes?", labels=(LabelSpec(name="yes"), LabelSpec(name="no")), text_columns=("Label",))
    write_task(folder.task, task)
    write_yaml(folder.settings, Settings(task="Yes?", data="rows.csv", seed=seed, shard_size=10))
    folder.write_manifest()
    return folder


def draw(folder: RunFolder, size: int | None = None) -> PeopleSample:
    draw_sample(folder, size)
    return read_record(folder.audits / "people" / "sample.json", PeopleSample)


def test_every_label_that_no_person_gave_is_drawn_as_often_and_the_bound_holds(tmp_path: Path) -> None:
    """A row that only shares the gold label of its like is drawn: people may label the same text differently."""
    drawn, seeds, wrong = np.zeros(ROWS), 120, []
    for seed in range(seeds):
        sample = draw(write_run(tmp_path / str(seed), ids=[f"r{n}" for n in range(ROWS)], seed=seed), DRAWN)
        rows = [one.row for one in sample.drawn]
        assert (len(set(rows)), sample.rows, sample.given) == (DRAWN, 95, 10)
        drawn[rows] += 1
        wrong.append(sum(row >= ROWS - DIFFERING for row in rows))
    assert not drawn[[*GIVEN, *EMPTY]].any()
    others, chance = drawn[np.setdiff1d(np.arange(ROWS), [*GIVEN, *EMPTY])], DRAWN / 85
    assert others.sum() == seeds * DRAWN
    assert (abs(others - seeds * chance) < 4.5 * np.sqrt(seeds * chance * (1 - chance))).all()
    bounds = bound_total(np.array(wrong), np.array(DRAWN), np.array(85), 0.05)
    violated = int((bounds < DIFFERING).sum())
    assert violated <= 0.05 * seeds + 3 * np.sqrt(seeds * 0.05 * 0.95)


def test_rows_that_share_an_id_are_named_by_their_numbers_and_columns_keep_apart(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ids=["one"] * ROWS)
    sample = draw(folder, 85)
    assert [one.id for one in sample.drawn] == [str(one.row) for one in sample.drawn]
    with folder.review_form.open(encoding="utf-8-sig", newline="") as stream:
        form = list(csv.DictReader(stream))
    assert form[0] == {"id": "10", "input_Label": "text 10", "label": ""}
    assert [row["input_Label"] for row in form] == [f"text {one.row}" for one in sample.drawn]


@pytest.mark.parametrize("size", [0, -1, 86])
def test_a_size_that_cannot_be_drawn_is_refused(size: int, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ids=["one"] * ROWS)
    with pytest.raises(PersonError, match=f"a sample of {size} rows cannot be drawn: 85 of the 95 labels"):
        draw(folder, size)
    assert not folder.audits.exists()
