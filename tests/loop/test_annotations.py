"""What a specialist's script wrote is checked before anything is made of it, however odd."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.annotations import merge_shards
from graphs.engine import Receipt, Shard
from records.errors import ModelError
from records.folder import write_json
from specialists.label_space import LabelSets, LabelSpace, OneLabel

LABELS = ["yes", "no"]
ONE = OneLabel(tuple(LABELS))
NAN, INFINITE = float("nan"), float("inf")
PAIRS, ONES = pa.list_(pa.float32(), 2), pa.list_(pa.float16(), 1)


@pytest.fixture
def annotated(tmp_path: Path):
    """Return a function that merges two rows as the script wrote them, with some columns of one's own."""
    pq.write_table(pa.table({"id": [0, 1], "text": ["a", "b"]}), tmp_path / "rows.parquet")
    shard = Shard(tmp_path / "rows.parquet", tmp_path / "model" / "rows.parquet")
    write_json(shard.receipt, Receipt(id="rows", rows=2, tokens=5, seconds=0.1))

    def merge(space: LabelSpace = ONE, **columns: pa.Array | None) -> pa.Table:
        usual = {
            "id": pa.array([0, 1]),
            "label": pa.array(LABELS),
            "score": pa.array([0.9, 0.8], pa.float32()),
            "probs": pa.array([[0.9, 0.1], [0.2, 0.8]], PAIRS),
        }
        written = {name: column for name, column in {**usual, **columns}.items() if column is not None}
        pq.write_table(pa.table(written), shard.output)
        return merge_shards([shard], space)

    return merge


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"probs": pa.array([[0.9, 0.1], [0.2, 0.8]])},
        {"extra": pa.array([None, "x"])},
        {"features": pa.array([[1.0], [2.0]], ONES)},
    ],
    ids=["as the protocol says", "lists of doubles", "a column more", "features"],
)
def test_what_fits_is_taken(annotated, columns):
    table = annotated(**columns)
    assert table["label"].to_pylist() == LABELS
    assert "extra" not in table.column_names


@pytest.mark.parametrize(
    "columns",
    [
        {"id": pa.array([1, 0])},
        {"id": pa.array([0, 0])},
        {"id": pa.array([0, None], pa.int64())},
        {"label": pa.array(["no", "no"])},
        {"label": pa.array(["yes", "another"])},
        {"label": pa.array([1, 2])},
        {"label": pa.array(["yes", None])},
        {"score": None},
        {"score": pa.array(["high", "low"])},
        {"probs": None},
        {"probs": pa.array(["a", "b"])},
        {"probs": pa.array([[0.9, 0.1], None], PAIRS)},
        {"probs": pa.array([[0.9, 0.1], [None, 0.8]], PAIRS)},
        {"probs": pa.array([[0.9, 0.1], [NAN, 0.8]], PAIRS)},
        {"probs": pa.array([[1.9, -0.9], [0.2, 0.8]], PAIRS)},
        {"probs": pa.array([[0.9, 0.3], [0.2, 0.8]], PAIRS)},
        {"probs": pa.array([[0.9], [0.2, 0.8]])},
        {"probs": pa.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])},
        {"features": pa.array(["a", "b"])},
        {"features": pa.array([[1.0], [INFINITE]], ONES)},
        {"features": pa.array([None, [1.0]], ONES)},
        {"features": pa.array([[], []], pa.list_(pa.float16(), 0))},
    ],
    ids="-".join,
)
def test_what_does_not_fit_is_an_error_of_the_model(annotated, columns):
    with pytest.raises(ModelError, match="cannot be used"):
        annotated(**columns)


def test_shards_of_one_model_have_the_same_columns(annotated, tmp_path):
    annotated()
    first = Shard(tmp_path / "rows.parquet", tmp_path / "model" / "rows.parquet")
    second = Shard(tmp_path / "rows.parquet", tmp_path / "other" / "rows.parquet")
    write_json(second.receipt, Receipt(id="rows", rows=2, seconds=0.1))
    table = pq.read_table(first.output)
    pq.write_table(table.append_column("features", pa.array([[1.0], [2.0]], ONES)), second.output)
    with pytest.raises(ModelError, match="cannot be used"):
        merge_shards([first, second], ONE)


SETS = [["yes"], []]
SET_COLUMNS = {
    "label": pa.array(SETS, pa.list_(pa.string())),
    "score": pa.array([0.9, 0.4], pa.float32()),
    "probs": pa.array([[0.9, 0.3], [0.2, 0.4]], PAIRS),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"label": pa.array([["yes"], ["no"]], pa.list_(pa.string()))}, "labels that are not those from 0.5 on"),
        ({"probs": pa.array([[1.5, 0.3], [0.2, 0.4]], PAIRS)}, "probabilities that are none"),
        ({"label": pa.array(["yes", "no"])}, "does not hold the columns"),
    ],
    ids=["sets", "another set", "no probabilities", "one label a row"],
)
def test_sets_of_labels_have_independent_probabilities(annotated, changed, said):
    def merge():
        return annotated(**{**SET_COLUMNS, **changed}, space=LabelSets(tuple(LABELS)))

    if said:
        with pytest.raises(ModelError, match=said):
            merge()
    else:
        assert merge()["label"].to_pylist() == SETS
