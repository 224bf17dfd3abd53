"""Test the annotate.py beside this file on the real model: python -m pytest in/scripts/test_annotate.py

Expects in/model (the model's folder) and in/labels.json below the working directory. The script runs as a process of
its own and is spoken to by its protocol alone: what it does to itself cannot make a test pass.
"""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SCRIPT = "in/scripts/annotate.py"
MODEL = "in/model"
LABELS_FILE = "in/labels.json"
TASK = json.loads(Path(LABELS_FILE).read_text(encoding="utf-8"))
LABELS, KIND = TASK["labels"], TASK.get("kind", "single_label")
COMMAND = [
    *(sys.executable, SCRIPT, "--model", MODEL, "--labels", LABELS_FILE, "--dtype", "float32"),
    *("--threads", os.environ.get("OMP_NUM_THREADS", "1")),
]

SECONDS = 100
"""A line of the worker's must come within so much time."""

CLASSES = 3
"""How many classes of the model the script reads."""

COVERED = json.loads('["negative", "positive"]')
"""The labels that the model's classes stand for."""

EXAMPLES = json.loads('[{"text": "impostor can\'t think of a thing to do with these characters except have them run through dark tunnels , fight off various anonymous attackers , and evade elaborate surveillance technologies .", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "there\'s some outrageously creative action in the transporter . . . [b]ut by the time frank parachutes down onto a moving truck , it\'s just another cartoon with an unstoppable superman .", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "i just put it on \\" shuffle \\", sit back, and enjoy the eclectic mix that almost 3,000 tunes offer!", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "solondz creates some effective moments of discomfort for character and viewer alike .", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "coy but exhilarating , with really solid performances by ving rhames and wesley snipes .", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "if you strictly use the lcd and not the view finder, i highly recommend the camera.", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "if you can get past the fantastical aspects and harsh realities of \\" the isle \\" you\'ll get a sock-you-in-the-eye flick that is a visual tour-de-force and a story that is unlike any you will likely see anywhere else .", "text_pair": null, "label": null, "repeat": 1, "why": ""}, {"text": "the problem with antwone fisher is that it has a screenplay written by antwone fisher based on the book by antwone fisher .", "text_pair": null, "label": null, "repeat": 1, "why": ""}]')
"""Rows of the task: {"text", "text_pair", "label", "repeat", "why"}; the label of an obvious row is known, that of any
other is null. The texts are repeated so many times."""

CASES = json.loads('[]')
"""Rows that were thought of for this model and task, of the same form."""

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

Row = tuple[str, str]


class Worker:
    """annotate.py with --serve: `ready` is its first line, `ask` sends a request and returns the answer to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.numbers = itertools.count(1)
        self.ready = self.read_line("ready")

    def read_line(self, wanted: str) -> dict:
        alarm = threading.Timer(SECONDS, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if not line:
            status = self.process.wait()
            pytest.fail(f"annotate.py ended with status {status} (-9: after {SECONDS} s) without its {wanted} line")
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict) or not isinstance(reply.get("type"), str):
            pytest.fail(f"annotate.py wrote a line that is no message of the protocol: {line[:200]!r}")
        return reply

    def ask(self, source: Path, target: Path, **wanted: bool) -> dict:
        request = {"op": "annotate", "id": f"request-{next(self.numbers)}", "input": str(source)}
        try:
            print(json.dumps({**request, "output": str(target), **wanted}), file=self.process.stdin)
        except OSError:
            pytest.fail(f"annotate.py ended with status {self.process.wait()} before a request")
        while (reply := self.read_line("result"))["type"] == "progress":
            assert reply.get("id") == request["id"], f"progress of another request: {reply}"
        assert reply.get("id") == request["id"], f"the answer to another request: {reply}"
        return reply


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([*COMMAND, "--serve"], **pipes, text=True, encoding="utf-8", bufsize=1)
    try:
        yield Worker(process)
        process.stdin.close()
        assert process.wait(timeout=60) == 0, "the worker is to end with status 0 when its input ends"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def make_rows(items: list[dict]) -> list[Row]:
    return [(item["text"] * item["repeat"], (item["text_pair"] or "") * item["repeat"]) for item in items]


ODD_ROWS = {
    **{name: ((text, text), "an odd text") for name, text in ODD_TEXTS.items()},
    **{f"case {number}": (row, CASES[number]["why"][:200]) for number, row in enumerate(make_rows(CASES))},
}
"""Name → a row that must get a valid answer, and what is odd about it."""


def write_input(path: Path, rows: list[Row]) -> None:
    columns = {"id": pa.array(range(100, 100 + len(rows)), pa.int64())}  # ids are not positions
    columns["text"] = pa.array([text for text, _ in rows], pa.string())
    if KIND == "text_pair":
        columns["text_pair"] = pa.array([pair for _, pair in rows], pa.string())
    pq.write_table(pa.table(columns), path)


def run(worker: Worker, folder: Path, rows: list[Row], what: str = "the rows", **wanted: bool) -> pa.Table:
    """Have rows annotated, with the `wanted` columns beside the usual ones, and return the output table, checked."""
    source, target = folder / "input.parquet", folder / "output.parquet"
    write_input(source, rows)
    reply = worker.ask(source, target, **wanted)
    if reply["type"] != "result":
        pytest.fail(f"{what}: {reply.get('error', reply)}")
    assert reply.get("rows") == len(rows), f"{what}: the result says {reply.get('rows')} rows, not {len(rows)}"
    assert type(reply.get("tokens")) is int, f"{what}: the result has no whole number of tokens: {reply}"
    table = pq.read_table(target)
    check_table(table, len(rows), find_widths(worker, **wanted), what)
    return table


def find_widths(worker: Worker, features: bool = False, classes: bool = False) -> dict[str, pa.DataType]:
    """Return the columns that are wanted beside the usual ones, with their types."""
    hidden, own = pa.list_(pa.float16(), worker.ready["hidden_size"]), pa.list_(pa.float32(), CLASSES)
    return {**({"features": hidden} if features else {}), **({"class_probs": own} if classes else {})}


def check_table(table: pa.Table, rows: int, extra: dict[str, pa.DataType], what: str) -> None:
    columns = {
        "id": pa.int64(),
        "label": pa.list_(pa.string()) if KIND == "multi_label" else pa.string(),
        "score": pa.float32(),
        "probs": pa.list_(pa.float32(), len(LABELS)),
        **extra,
    }
    found = dict(zip(table.column_names, table.schema.types, strict=True))
    assert found == columns, f"{what}: the output has the columns {found}, not {columns}"
    assert table["id"].to_pylist() == list(range(100, 100 + rows)), f"{what}: not the ids of the input in their order"
    for name in table.column_names:
        assert table[name].null_count == 0, f"{what}: {name} is missing for some rows"
    for label, score, probs in zip(*(table[name].to_pylist() for name in ("label", "score", "probs")), strict=True):
        assert all(0.0 <= prob <= 1.0 + 1e-6 for prob in probs), f"{what}: these are no probabilities: {probs}"
        assert score == max(probs), f"{what}: the score {score} is not the largest of {probs}"
        if KIND == "multi_label":
            expected = [name for name, prob in zip(LABELS, probs, strict=True) if prob >= 0.5]
        else:
            assert sum(probs) == pytest.approx(1.0, abs=1e-3), f"{what}: {probs} do not sum to 1"
            expected = LABELS[probs.index(score)]
        assert label == expected, f"{what}: the label {label!r} does not follow from {probs} of {LABELS}"


def test_worker_says_what_it_is(worker: Worker) -> None:
    assert worker.ready["type"] == "ready", f"the first line is to be the ready line: {worker.ready}"
    assert worker.ready.get("protocol") == 1
    assert type(worker.ready.get("hidden_size")) is int
    assert worker.ready["hidden_size"] > 0


def test_task_rows_get_valid_answers(worker: Worker, tmp_path: Path) -> None:
    run(worker, tmp_path, make_rows(EXAMPLES) or [("A plain sentence.", "Another one.")])


def test_obvious_rows_get_their_labels(worker: Worker, tmp_path: Path) -> None:
    obvious = [item for item in [*EXAMPLES, *CASES] if item["label"] in COVERED]
    if not obvious:
        return  # no row whose label is known and within the model's reach
    answers = run(worker, tmp_path, make_rows(obvious))["label"].to_pylist()
    wrong = [
        f"{item['text'][:100]!r}: {answer}, expected {item['label']}"
        for item, answer in zip(obvious, answers, strict=True)
        if item["label"] not in (answer if KIND == "multi_label" else [answer])
    ]
    # A model may err on a row or two; one that is mostly wrong reads its classes the wrong way round.
    assert len(wrong) * 2 <= len(obvious), "most obvious rows are wrong (check the classes):\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", ODD_ROWS)
def test_odd_row_gets_a_valid_answer(worker: Worker, tmp_path: Path, name: str) -> None:
    row, why = ODD_ROWS[name]
    run(worker, tmp_path, [row], what=f"{name} ({why})")


def test_answer_does_not_depend_on_the_batch(worker: Worker, tmp_path: Path) -> None:
    some = [("A plain sentence.", "Another."), (ODD_TEXTS["emoji"], "A word."), ("Word. " * 60, ODD_TEXTS["Chinese"])]
    rows = [*make_rows(EXAMPLES[:8]), *some]
    together = run(worker, tmp_path, rows)["probs"].to_pylist()
    for number, row in enumerate(rows):
        alone = run(worker, tmp_path, [row])["probs"].to_pylist()[0]
        assert alone == pytest.approx(together[number], abs=1e-3), f"{row[0][:100]!r} alone and among others differ"


def test_features_are_numbers_for_every_row(worker: Worker, tmp_path: Path) -> None:
    rows = [("A plain sentence.", "Another one."), ("", ""), ("A third.", "A fourth.")]
    features = run(worker, tmp_path, rows, features=True)["features"].to_pylist()
    assert all(abs(number) < float("inf") for row in features for number in row), "features that are not finite"


def test_class_probabilities_are_numbers_for_every_row(worker: Worker, tmp_path: Path) -> None:
    rows = [("A plain sentence.", "Another one."), ("", ""), ("A third.", "A fourth.")]
    own = run(worker, tmp_path, rows, classes=True)["class_probs"].to_pylist()
    assert all(0.0 <= number <= 1.0 + 1e-4 for row in own for number in row), f"these are no probabilities: {own}"


def test_worker_outlives_a_failed_request(worker: Worker, tmp_path: Path) -> None:
    reply = worker.ask(tmp_path / "missing.parquet", tmp_path / "output.parquet")
    assert reply["type"] == "error", f"a missing input is to be answered with an error, not with {reply}"
    assert isinstance(reply.get("error"), str)
    run(worker, tmp_path, [("One.", "Two.")], what="the request after a failed one")
