"""Test the annotate.py beside this file on the real model: python -m pytest in/scripts/test_annotate.py

Expects in/model (the model's folder) and in/labels.json below the working directory.
"""

import io
import json
from pathlib import Path

import annotate
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MODEL = "in/model"
LABELS = "in/labels.json"
EXAMPLES = json.loads('[{"text": "impostor can\'t think of a thing to do with these characters except have them run through dark tunnels , fight off various anonymous attackers , and evade elaborate surveillance technologies .", "label": null}, {"text": "there\'s some outrageously creative action in the transporter . . . [b]ut by the time frank parachutes down onto a moving truck , it\'s just another cartoon with an unstoppable superman .", "label": null}, {"text": "i just put it on \\" shuffle \\", sit back, and enjoy the eclectic mix that almost 3,000 tunes offer!", "label": null}, {"text": "solondz creates some effective moments of discomfort for character and viewer alike .", "label": null}, {"text": "coy but exhilarating , with really solid performances by ving rhames and wesley snipes .", "label": null}, {"text": "if you strictly use the lcd and not the view finder, i highly recommend the camera.", "label": null}, {"text": "if you can get past the fantastical aspects and harsh realities of \\" the isle \\" you\'ll get a sock-you-in-the-eye flick that is a visual tour-de-force and a story that is unlike any you will likely see anywhere else .", "label": null}, {"text": "the problem with antwone fisher is that it has a screenplay written by antwone fisher based on the book by antwone fisher .", "label": null}]')
"""Rows of the task: {"text", "label"}; the label of an obvious row is known, that of any other is null."""

ODD_TEXTS = {
    "empty": "",
    "spaces": " \n\t ",
    "emoji": "🙂🙃 👩‍👩‍👧‍👦 🏳️‍🌈",
    "Chinese": "这部电影非常好看，我很喜欢。",
    "Arabic": "كان هذا الفيلم رائعا وأحببته كثيرا",
    "control characters": "a\x00b\x07c",
    "very long": "It was a long day and the words went on. " * 2500,
    "one very long word": "x" * 100_000,
}


@pytest.fixture(scope="module")
def labels() -> list[str]:
    return annotate.read_label_names(LABELS)


@pytest.fixture(scope="module")
def annotator(labels: list[str]) -> annotate.Annotator:
    return annotate.Annotator(MODEL, labels)


def write_input(folder: Path, texts: list[str]) -> Path:
    path = folder / "input.parquet"
    ids = pa.array(range(100, 100 + len(texts)), pa.int64())  # ids are not positions
    pq.write_table(pa.table({"id": ids, "text": pa.array(texts, pa.string())}), path)
    return path


def run(annotator: annotate.Annotator, folder: Path, texts: list[str], features: bool = False) -> pa.Table:
    output = folder / "output.parquet"
    rows, tokens = annotator.annotate(str(write_input(folder, texts)), str(output), features, lambda done, total: None)
    assert rows == len(texts)
    assert tokens > 0
    return pq.read_table(output)


def check_table(table: pa.Table, rows: int, labels: list[str]) -> None:
    assert table["id"].to_pylist() == list(range(100, 100 + rows))
    for label, score, probs in zip(*(table[name].to_pylist() for name in ("label", "score", "probs")), strict=True):
        assert len(probs) == len(labels)
        assert sum(probs) == pytest.approx(1.0, abs=1e-3)
        assert min(probs) >= 0.0
        assert score == max(probs)
        assert label == labels[probs.index(score)]


def test_label_map_tells_labels_apart(labels: list[str]) -> None:
    covered = {label for label in annotate.LABEL_MAP.values() if label is not None}
    assert covered <= set(labels), f"LABEL_MAP names {covered - set(labels)}, which are no labels of the task"
    assert len(covered) >= 2, f"LABEL_MAP gives only {covered}: with fewer than two labels a model cannot vote"


def test_task_rows_get_valid_answers(annotator: annotate.Annotator, labels: list[str], tmp_path: Path) -> None:
    texts = [example["text"] for example in EXAMPLES] or ["A plain sentence."]
    check_table(run(annotator, tmp_path, texts), len(texts), labels)


def test_obvious_rows_get_their_labels(annotator: annotate.Annotator, tmp_path: Path) -> None:
    covered = set(annotate.LABEL_MAP.values())
    obvious = [example for example in EXAMPLES if example["label"] in covered and example["label"] is not None]
    if not obvious:
        return  # no row whose label is known and within the model's reach
    answers = run(annotator, tmp_path, [example["text"] for example in obvious])["label"].to_pylist()
    wrong = [
        f"{example['text'][:100]!r}: {answer}, expected {example['label']}"
        for example, answer in zip(obvious, answers, strict=True)
        if answer != example["label"]
    ]
    # A model may err on a row or two; one that is mostly wrong reads its classes the wrong way round.
    assert len(wrong) * 2 <= len(obvious), "most obvious rows are wrong (check LABEL_MAP):\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_odd_text_gets_a_valid_answer(
    annotator: annotate.Annotator, labels: list[str], tmp_path: Path, name: str
) -> None:
    check_table(run(annotator, tmp_path, [ODD_TEXTS[name]]), 1, labels)


def test_answer_does_not_depend_on_the_batch(annotator: annotate.Annotator, tmp_path: Path) -> None:
    texts = ["A plain sentence.", *(example["text"] for example in EXAMPLES[:8]), ODD_TEXTS["emoji"], "Word. " * 60]
    together = run(annotator, tmp_path, texts)["probs"].to_pylist()
    for row, text in enumerate(texts):
        alone = run(annotator, tmp_path, [text])["probs"].to_pylist()[0]
        assert alone == pytest.approx(together[row], abs=1e-3), f"{text[:100]!r} alone and among others differ"


def test_features_have_the_hidden_size(annotator: annotate.Annotator, tmp_path: Path) -> None:
    table = run(annotator, tmp_path, ["A plain sentence.", "", "Another one."], features=True)
    assert table.schema.field("features").type == pa.list_(pa.float16(), annotator.describe()["hidden_size"])
    assert table["features"].null_count == 0


def test_worker_answers_and_outlives_a_failed_request(annotator: annotate.Annotator, tmp_path: Path) -> None:
    output = tmp_path / "served.parquet"
    good = {"op": "annotate", "id": "2", "input": str(write_input(tmp_path, ["One.", "Two."])), "output": str(output)}
    bad = {**good, "id": "1", "input": str(tmp_path / "missing.parquet")}
    replies = io.StringIO()
    annotate.serve(annotator, io.StringIO(json.dumps(bad) + "\n" + json.dumps(good) + "\n"), replies)
    ready, failure, *progress, result = [json.loads(line) for line in replies.getvalue().splitlines()]
    assert ready["type"] == "ready"
    assert (failure["type"], failure["id"]) == ("error", "1")
    assert all(reply["type"] == "progress" for reply in progress)
    assert (result["type"], result["id"], result["rows"]) == ("result", "2", 2)
    assert pq.read_table(output).num_rows == 2
