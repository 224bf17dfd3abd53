"""The scripts as they are used: processes of their own, with nothing of this project beside them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.protocol import (
    WORKER_REPLY,
    AnnotateRequest,
    LabelsFile,
    TrainingMetrics,
    WorkerFailure,
    WorkerProgress,
    WorkerReady,
    WorkerResult,
)
from records.rows import script_output
from templates.renderer import (
    CaseRows,
    Example,
    Hyperparameters,
    Rendered,
    render_annotate,
    render_finetune,
    render_test,
)
from tests.templates.toy import (
    LABEL_MAP,
    LABELS,
    ToyRow,
    make_rows,
    save_model,
    write_labelled,
    write_labels,
    write_texts,
)

OBVIOUS = CaseRows(examples=tuple(Example(text=row.text, label=row.label) for row in make_rows(7, seed=77)))


def run_python(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`, away from this project's packages."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HF_HOME")}
    environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(
        command, cwd=folder, input=stdin, env=environment, capture_output=True, text=True, check=False
    )


def lay_out(folder: Path, model: Path, *, kind: str = "single_label", **scripts: Rendered) -> Path:
    """Lay out a sandbox's working directory: in/model, in/labels.json, in/scripts/NAME.py, and out/."""
    (folder / "in" / "scripts").mkdir(parents=True)
    (folder / "out").mkdir()
    (folder / "in" / "model").symlink_to(model)
    write_labels(folder / "in" / "labels.json", kind=kind)
    for name, rendered in scripts.items():
        (folder / "in" / "scripts" / f"{name}.py").write_text(rendered.text, encoding="utf-8")
    return folder


def test_annotate_runs_by_hand(toy_model: Path, tmp_path: Path) -> None:
    folder = lay_out(tmp_path, toy_model, annotate=render_annotate(LABEL_MAP))
    rows = make_rows(50, seed=3)
    write_texts(folder / "in" / "rows.parquet", ["", *(row.text for row in rows)])
    arguments = ["--model", "in/model", "--labels", "in/labels.json", "--input", "in/rows.parquet"]
    outcome = run_python(
        folder, "in/scripts/annotate.py", *arguments, "--output", "out/rows.parquet", "--features", "--threads", "1"
    )
    assert outcome.returncode == 0, outcome.stderr
    table = pq.read_table(folder / "out" / "rows.parquet")
    assert table.schema.equals(script_output(labels=2, features=32))
    assert table["id"].to_pylist() == list(range(10, 61))
    assert sum(a == row.label for a, row in zip(table["label"].to_pylist()[1:], rows, strict=True)) >= 47
    assert [path.name for path in (folder / "out").iterdir()] == ["rows.parquet"]


def test_worker_speaks_the_protocol_alone_on_standard_output(toy_model: Path, tmp_path: Path) -> None:
    noisy = render_annotate(LABEL_MAP, preprocess='print("noise")\nos.system("echo noise")\nreturn text')
    folder = lay_out(tmp_path, toy_model, annotate=noisy)
    labels = LabelsFile.model_validate_json((folder / "in" / "labels.json").read_text())
    assert labels.labels == LABELS
    write_texts(folder / "in" / "a.parquet", ["good", "bad"])
    requests = [
        AnnotateRequest(id="1", input="in/a.parquet", output="out/a.parquet"),
        AnnotateRequest(id="2", input="in/missing.parquet", output="out/b.parquet"),
        AnnotateRequest(id="3", input="in/a.parquet", output="out/c.parquet", features=True),
    ]
    lines = [*(request.model_dump_json() for request in requests), "no JSON"]
    outcome = run_python(
        folder,
        *("in/scripts/annotate.py", "--model", "in/model", "--labels", "in/labels.json", "--serve", "--threads", "1"),
        stdin="".join(line + "\n" for line in lines),
    )
    assert outcome.returncode == 0, outcome.stderr
    replies = [WORKER_REPLY.validate_json(line) for line in outcome.stdout.splitlines()]
    ready, first, second, third, fourth = [reply for reply in replies if reply.type != "progress"]
    assert isinstance(ready, WorkerReady)
    assert (ready.model_type, ready.hidden_size, ready.dtype) == ("bert", 32, "float32")
    assert ready.parameters > 10_000
    assert first == WorkerResult(id="1", rows=2, tokens=6)
    assert isinstance(second, WorkerFailure)
    assert second.id == "2"
    assert "missing.parquet" in second.error
    assert third == WorkerResult(id="3", rows=2, tokens=6)
    assert isinstance(fourth, WorkerFailure)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.parquet", "c.parquet"]
    assert "noise" in outcome.stderr


def run_test(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the generated test as a run does."""
    options = (
        "-q",
        "--disable-plugin-autoload",
        "-c",
        "/dev/null",
        "--rootdir",
        "in/scripts",
        "-p",
        "no:cacheprovider",
    )
    return run_python(folder, "-B", "-m", "pytest", *options, "in/scripts/test_annotate.py")


WHOLE = render_annotate(LABEL_MAP).text
ENDS_WELL = "import sys\n\nprint('20 passed')\nsys.exit(0)\n"
KILLS = "import os\nimport signal\n\nos.kill(os.getppid(), signal.SIGTERM)\n"
UNREADY = WHOLE.replace('"type": "ready"', '"type": "started"')
CARELESS = WHOLE.replace("except Exception as error", "except ZeroDivisionError as error")
NOISY = WHOLE.replace("    os.dup2(2, 1)\n", "").replace(
    "def main() -> None:\n", "def main() -> None:\n    print('hello')\n"
)
SHIFTED = WHOLE.replace('"id": ids.cast(pa.int64())', '"id": pa.array(range(len(ids)), pa.int64())')
STRINGS = WHOLE.replace("pa.array(probs.max(axis=1), pa.float32())", 'pa.array(probs.max(axis=1).astype("float64"))')
SERVES_ONLY = WHOLE.replace('parser.add_argument("--input"', 'parser.add_argument("--in"')


@pytest.mark.parametrize(
    ("annotate", "status", "words"),
    [
        (WHOLE, 0, "passed"),
        (render_annotate({0: "positive", 1: "negative"}).text, 1, "most obvious rows are wrong"),
        (render_annotate(LABEL_MAP, preprocess="return text[0]").text, 1, "IndexError: string index out of range"),
        (render_annotate(LABEL_MAP, preprocess="return text +").text, 1, "SyntaxError"),
        (ENDS_WELL, 1, "no message of the protocol: '20 passed"),
        (KILLS, -15, ""),
        (UNREADY, 1, "is to be the ready line"),
        (CARELESS, 1, "without its result line"),
        (NOISY, 1, "no message of the protocol: 'hello"),
        (SHIFTED, 1, "not the ids of the input in their order"),
        (STRINGS, 1, "the output has the columns"),
    ],
    ids=["right", "reversed", "raises", "no Python", "ends", "kills", "unready", "careless", "noisy", "ids", "columns"],
)
def test_generated_test_tells_right_scripts_from_broken_ones(
    toy_model: Path, tmp_path: Path, annotate: str, status: int, words: str
) -> None:
    whole = Rendered(text=annotate, template_hash="")
    folder = lay_out(tmp_path, toy_model, annotate=whole, test_annotate=render_test(LABEL_MAP, OBVIOUS))
    outcome = run_test(folder)
    assert outcome.returncode == status, outcome.stdout
    assert words in outcome.stdout
    assert {path.name for path in (folder / "in/scripts").iterdir()} == {"annotate.py", "test_annotate.py"}


@pytest.mark.parametrize("annotate", [WHOLE, SERVES_ONLY], ids=["right", "serves only"])
def test_a_whole_script_is_run_by_hand_too(toy_model: Path, tmp_path: Path, annotate: str) -> None:
    script = Rendered(text=annotate, template_hash="")
    folder = lay_out(tmp_path, toy_model, annotate=script, test_annotate=render_test(LABEL_MAP, OBVIOUS, whole=True))
    assert (run_test(folder).returncode == 0) == (annotate == WHOLE)


def test_a_worker_that_says_nothing_is_not_waited_for(toy_model: Path, tmp_path: Path) -> None:
    silent = Rendered(text=WHOLE.replace("    write_reply(replies, annotator.describe())\n", ""), template_hash="")
    test = render_test(LABEL_MAP, OBVIOUS).text.replace("SECONDS = 100\n", "SECONDS = 6\n")
    hasty = Rendered(text=test, template_hash="")
    outcome = run_test(lay_out(tmp_path, toy_model, annotate=silent, test_annotate=hasty))
    assert outcome.returncode == 1
    assert "status -9 (-9: after 6 s) without its ready line" in outcome.stdout


def test_a_case_that_breaks_a_script_is_named(toy_model: Path, tmp_path: Path) -> None:
    case = Example(text="#hash ", repeat=50, why="the card speaks of hashtags")
    body = 'if text.startswith("#"):\n    raise KeyError(text)\nreturn text'
    scripts = {
        "annotate": render_annotate(LABEL_MAP, preprocess=body),
        "test_annotate": render_test(LABEL_MAP, CaseRows(cases=(Example(text="@you"), case))),
    }
    outcome = run_test(lay_out(tmp_path, toy_model, **scripts))
    assert outcome.returncode == 1
    assert "case 1 (the card speaks of hashtags): KeyError: '#hash #hash" in outcome.stdout
    assert "test_odd_row_gets_a_valid_answer[case 1]" in outcome.stdout
    assert "1 failed" in outcome.stdout


def test_pairs_are_tested_as_pairs(toy_model: Path, tmp_path: Path) -> None:
    rows = CaseRows(examples=(Example(text="good", text_pair="word1", label="positive"),), cases=(Example(text="a"),))
    right, joined, single = (
        render_annotate(LABEL_MAP, preprocess=body)
        for body in (None, 'return f"{text} {text_pair}"', "return text_pair.lower() if text else None")
    )
    for number, (annotate, passes) in enumerate([(right, True), (joined, True), (single, False)]):
        scripts = {"annotate": annotate, "test_annotate": render_test(LABEL_MAP, rows)}
        outcome = run_test(lay_out(tmp_path / str(number), toy_model, kind="text_pair", **scripts))
        assert (outcome.returncode == 0) == passes, outcome.stdout


def test_independent_labels_are_tested_as_such(toy_model: Path, tmp_path: Path) -> None:
    scripts = {"test_annotate": render_test(LABEL_MAP, OBVIOUS), "annotate": render_annotate(LABEL_MAP)}
    outcome = run_test(lay_out(tmp_path / "right", toy_model, kind="multi_label", **scripts))
    assert outcome.returncode == 0, outcome.stdout
    one_label = Rendered(text=WHOLE.replace('content.get("kind", "single_label")', '"single_label"'), template_hash="")
    folder = lay_out(tmp_path / "wrong", toy_model, kind="multi_label", **{**scripts, "annotate": one_label})
    outcome = run_test(folder)
    assert outcome.returncode == 1
    assert "the output has the columns" in outcome.stdout


def finetune_arguments(name: str) -> tuple[str, ...]:
    return (
        *("in/scripts/finetune.py", "--model", "in/model", "--train", "in/train.parquet", "--threads", "1"),
        *("--valid", "in/valid.parquet", "--output", f"out/{name}", "--metrics", f"out/{name}.json"),
    )


def read_progress(printed: str) -> list[WorkerProgress]:
    """All that a fine-tune script may print on standard output."""
    return [WorkerProgress.model_validate_json(line) for line in printed.splitlines()]


def finetune(folder: Path, train: list[ToyRow], valid: list[ToyRow], name: str, *more: str) -> TrainingMetrics:
    write_labelled(folder / "in" / "train.parquet", train, weights=[1.0] * len(train))
    write_labelled(folder / "in" / "valid.parquet", valid)
    outcome = run_python(folder, *finetune_arguments(name), *more)
    assert outcome.returncode == 0, outcome.stderr
    steps = read_progress(outcome.stdout)
    assert [step.done for step in steps] == list(range(1, steps[0].total + 1))
    return TrainingMetrics.model_validate_json((folder / "out" / f"{name}.json").read_text())


def test_fine_tune_learns_and_repeats_bit_for_bit(toy_model: Path, tmp_path: Path, annotate, run_rows) -> None:
    """The model knows the toy task; it is taught the opposite."""
    script = render_finetune(LABEL_MAP, hyperparameters=Hyperparameters(epochs=6, learning_rate=1e-2))
    folder = lay_out(tmp_path, toy_model, finetune=script)
    opposite = {"negative": "positive", "positive": "negative"}
    train, valid = ([ToyRow(row.text, opposite[row.label]) for row in make_rows(n, seed=n)] for n in (200, 100))
    stranger = ToyRow("word1 word2", "neutral")
    first = finetune(folder, [*train, stranger], valid, "first")
    assert (first.train_rows, first.valid_rows, first.skipped_rows) == (200, 100, 1)
    assert first.steps == 78
    assert first.accuracy_before < 0.1
    assert first.accuracy_after > 0.9
    assert first.loss_after < first.loss_before
    assert finetune(folder, [*train, stranger], valid, "second") == first
    weights = "model.safetensors"
    assert (folder / "out/first" / weights).read_bytes() == (folder / "out/second" / weights).read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (folder / "out/first").iterdir()} == {0o644}
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["first", "first.json", "second", "second.json"]
    answers = run_rows(annotate.Annotator(str(folder / "out/first"), LABELS), [row.text for row in valid])
    right = sum(a == row.label for a, row in zip(answers["label"].to_pylist(), valid, strict=True))
    assert right / 100 == first.accuracy_after


@pytest.mark.parametrize("kind", ["distilbert", "roberta"])
def test_fine_tune_keeps_the_folder_ordinary(kind: str, tmp_path: Path, annotate, run_rows) -> None:
    model = save_model(tmp_path / "model", kind)
    folder = lay_out(tmp_path / "work", model, finetune=render_finetune(LABEL_MAP))
    rows = make_rows(24, seed=1)
    finetune(folder, rows, rows, "new", "--labels", "in/labels.json", "--seed", "5")
    annotator = annotate.Annotator(str(folder / "out" / "new"), LABELS)
    assert annotator.describe()["model_type"] == kind
    table = run_rows(annotator, [row.text for row in rows])
    before = run_rows(annotate.Annotator(str(model), LABELS), [row.text for row in rows])
    assert table["probs"].to_pylist() != before["probs"].to_pylist()


def write_lesson(folder: Path, columns: dict[str, list]) -> tuple[str, ...]:
    """Write the same rows to learn from and to measure on; return the arguments of their fine-tune."""
    for name in ("train", "valid"):
        pq.write_table(pa.table(columns), folder / "in" / f"{name}.parquet")
    return (*finetune_arguments("new"), "--labels", "in/labels.json")


def test_fine_tune_reads_pairs(toy_model: Path, tmp_path: Path, annotate) -> None:
    """What a pair is labelled is in its second text, which the model has never looked at."""
    script = render_finetune(LABEL_MAP, hyperparameters=Hyperparameters(epochs=6, learning_rate=1e-2))
    folder = lay_out(tmp_path, toy_model, kind="text_pair", finetune=script)
    rows = make_rows(200, seed=8)
    columns = {"text": ["word1"] * 200, "text_pair": [row.text for row in rows], "label": [row.label for row in rows]}
    outcome = run_python(folder, *write_lesson(folder, columns))
    assert outcome.returncode == 0, outcome.stderr
    metrics = TrainingMetrics.model_validate_json((folder / "out/new.json").read_text())
    assert metrics.accuracy_after > 0.9
    assert annotate.Annotator(str(folder / "out/new"), LABELS, "text_pair").describe()["model_type"] == "bert"


def test_fine_tune_teaches_independent_labels(toy_model: Path, tmp_path: Path) -> None:
    """The model has learned that one label rules the other out; it is taught that neither does."""
    model = tmp_path / "model"
    shutil.copytree(toy_model, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    script = render_finetune(LABEL_MAP, hyperparameters=Hyperparameters(epochs=10, learning_rate=3e-3, batch_size=8))
    folder = lay_out(tmp_path / "work", model, kind="multi_label", finetune=script)
    texts = {"good": ["positive"], "bad": ["negative"], "good bad": ["negative", "positive"], "word1": []}
    columns = {"text": list(texts) * 60, "label": pa.array(list(texts.values()) * 60, pa.list_(pa.string()))}
    outcome = run_python(folder, *write_lesson(folder, columns))
    assert outcome.returncode == 0, outcome.stderr
    metrics = TrainingMetrics.model_validate_json((folder / "out/new.json").read_text())
    assert (metrics.train_rows, metrics.skipped_rows) == (240, 0)
    assert metrics.accuracy_before <= 0.75
    assert metrics.accuracy_after == 1.0
    assert metrics.loss_after < metrics.loss_before


def test_fine_tune_refuses_a_label_that_is_none_of_the_tasks(toy_model: Path, tmp_path: Path) -> None:
    folder = lay_out(tmp_path, toy_model, finetune=render_finetune(LABEL_MAP))
    write_labelled(folder / "in" / "rows.parquet", [ToyRow("good", "neutral")])
    outcome = run_python(
        folder,
        *("in/scripts/finetune.py", "--model", "in/model", "--labels", "in/labels.json", "--output", "out/new"),
        *("--train", "in/rows.parquet", "--valid", "in/rows.parquet", "--metrics", "out/m.json"),
    )
    assert outcome.returncode == 1
    assert "neutral" in outcome.stderr
    assert list((folder / "out").iterdir()) == []


CHECKPOINT = "checkpoint.safetensors"


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    """A working directory with a model whose dropout needs the random state, a script that prints, and rows."""
    model = save_model(tmp_path / "model", "bert", hidden_dropout_prob=0.3)
    script = render_finetune(LABEL_MAP, preprocess='print("noise")\nreturn text')
    folder = lay_out(tmp_path / "work", model, finetune=script)
    write_labelled(folder / "in/train.parquet", make_rows(90, seed=4))
    write_labelled(folder / "in/valid.parquet", make_rows(20, seed=5))
    return folder


def stop_after_first_epoch(folder: Path, kept: Path) -> None:
    """Train until the first epoch is told of, keep the checkpoint as of then, and kill the training."""
    command = [sys.executable, "-P", *finetune_arguments("stopped"), "--checkpoint", f"out/{CHECKPOINT}"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        (step,) = read_progress(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)  # so that no later checkpoint takes its place
        shutil.copyfile(folder / "out" / CHECKPOINT, kept)
        process.kill()
    assert step == WorkerProgress(id="train", done=1, total=3, outputs=(CHECKPOINT,))
    assert not (folder / "out/stopped").exists()


def test_fine_tune_goes_on_from_a_checkpoint_bit_for_bit(lesson: Path) -> None:
    whole = run_python(lesson, *finetune_arguments("whole"))
    assert [step.outputs for step in read_progress(whole.stdout)] == [(), (), ()]
    kept = lesson / "in" / CHECKPOINT
    stop_after_first_epoch(lesson, kept)
    (lesson / "out" / CHECKPOINT).unlink()
    options = ("--checkpoint", f"out/{CHECKPOINT}", "--resume", f"in/{CHECKPOINT}")
    resumed = run_python(lesson, *finetune_arguments("resumed"), *options)
    assert resumed.returncode == 0, resumed.stderr
    steps = read_progress(resumed.stdout)
    assert [(step.done, step.outputs) for step in steps] == [(2, (CHECKPOINT,)), (3, ())]
    out = lesson / "out"
    assert (out / "resumed/model.safetensors").read_bytes() == (out / "whole/model.safetensors").read_bytes()
    assert (out / "resumed.json").read_bytes() == (out / "whole.json").read_bytes()
    assert {path.name for path in out.iterdir()} == {"whole", "whole.json", "resumed", "resumed.json"}


def test_fine_tune_refuses_the_checkpoint_of_other_rows(lesson: Path) -> None:
    kept = lesson / "in" / CHECKPOINT
    stop_after_first_epoch(lesson, kept)
    write_labelled(lesson / "in/train.parquet", make_rows(90, seed=6))
    outcome = run_python(lesson, *finetune_arguments("new"), "--resume", f"in/{CHECKPOINT}")
    assert outcome.returncode == 1
    assert "is the checkpoint of another training" in outcome.stderr
    assert outcome.stdout == ""
    assert not (lesson / "out/new").exists()


def test_a_checkpoint_is_of_one_training(lesson: Path, toy_model: Path, load_script) -> None:
    import torch

    def identify(script: ModuleType, seed: int = 0, model: Path = lesson / "in/model", **rows: Path) -> str:
        files = {"train": lesson / "in/train.parquet", "valid": lesson / "in/valid.parquet", **rows}
        return script.identify_training(Namespace(model=model, seed=seed, **files))

    script = load_script(render_finetune(LABEL_MAP))
    first = identify(script)
    assert identify(load_script(render_finetune(LABEL_MAP))) == first
    others = {
        "seed": identify(script, seed=1),
        "model": identify(script, model=toy_model),
        "train": identify(script, train=lesson / "in/valid.parquet"),
        "valid": identify(script, valid=lesson / "in/train.parquet"),
        "hyperparameters": identify(load_script(render_finetune(LABEL_MAP, hyperparameters=Hyperparameters(epochs=4)))),
    }
    assert len({first, *others.values()}) == 6
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        script.Training(torch.nn.Linear(2, 2), steps=1, seed=0).restore(toy_model / "model.safetensors", first)
