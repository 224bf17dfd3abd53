"""Teach the specialists from the reviewed rows: the gate (`graphs/gating.py`) decides whether it votes."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from langgraph.runtime import Runtime

from graphs.context import RunContext
from graphs.engine import Job
from graphs.fetching import have_voters
from graphs.jobs import check_sandbox, drop_specialists
from graphs.state import RunState, Update
from graphs.tables import VOTED, read_answer, read_stage_labels, read_texts
from graphs.taught import Lesson, lesson_file
from records.errors import RunFolderError
from records.events import EpochTrained, Noticed
from records.folder import read_record, write_json, write_table, written_whole
from records.protocol import TrainingMetrics, WorkerProgress
from records.rows import ROW, Answer, answer_type, tabulate_texts
from records.task import Kind
from sandbox.base import Limits, Output, RunResult, RunSpec
from specialists.label_space import make_space
from specialists.learning import choose_replay, split_for_gate

HELD_OUT = 0.3
"""The share of the rows that judges what the rest taught."""
TRAIN_SECONDS = 3600.0
WEIGHTS = "model.safetensors"
METRICS = "metrics.json"
CHECKPOINT = "checkpoint.safetensors"
GROWTH = 4
"""Weights may be trained in a type that takes so many times the room: float32 from 8 bits."""
SMALLEST_ROOM = 2**20
"""Bytes; weights and checkpoint may be so large however small the model is."""
LARGEST_METRICS = 2**16
COMMAND = (
    *("python", "in/scripts/finetune.py", "--model", "in/model", "--labels", "in/labels.json"),
    *("--train", "in/train.parquet", "--valid", "in/valid.parquet"),
    *("--output", "out/model", "--metrics", f"out/{METRICS}", "--checkpoint", f"out/{CHECKPOINT}"),
)
OF_A_VERSION = ("*.safetensors", "*.safetensors.index.json", METRICS, "gate.json", "lesson.json")
"""Files of a model's folder that the next version does not take over."""


def lesson_schema(kind: Kind) -> pa.Schema:
    """Return what is told of the rows of one fine-tune beside number and text: they are the pool and the replay, some
    of each held out for the gate."""
    return pa.schema([("label", answer_type(kind)), ("replayed", pa.bool_()), ("held_out", pa.bool_())])


def fine_tune(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Fine-tune every specialist on the pool, with replay of rows that all agree on; one that cannot be had votes no
    more."""
    context, stage, round_ = runtime.context, state["stage"], state["learned"] + 1
    jobs, gone = have_voters(context, state)
    lesson = _write_lesson(context, state, round_)
    with ThreadPoolExecutor(max_workers=context.settings.concurrency) as pool:
        futures = [pool.submit(_teach, context, job, stage, round_, lesson) for job in jobs]
        for future in futures:
            future.result()
    return {"learned": round_, "versions": drop_specialists(context, state, gone, stage + 1)}


def lesson_folder(context: RunContext, round_: int) -> Path:
    """Return where the rows of a fine-tune are."""
    return context.folder.scratch / f"lesson-{round_:04d}"


def _write_lesson(context: RunContext, state: RunState, round_: int) -> Path:
    """Write the rows of a fine-tune as lesson.parquet, train.parquet and valid.parquet; return their folder."""
    folder = lesson_folder(context, round_)
    pooled, replayed = _gather_rows(context, range(state["pool_from"], state["stage"] + 1))
    seed = context.settings.seed + round_
    numbers = [*pooled, *replayed]
    held_out = [*split_for_gate(len(pooled), HELD_OUT, seed), *split_for_gate(len(replayed), HELD_OUT, seed)]
    texts = read_texts(context.folder, numbers, context.settings.shard_size)
    rows = [
        {"label": label, "replayed": number in replayed, "held_out": bool(held)}
        for number, label, held in zip(numbers, [*pooled.values(), *replayed.values()], held_out, strict=True)
    ]
    lesson, schema = tabulate_texts(numbers, texts), lesson_schema(context.read_task().kind)
    for name, column in zip(schema.names, pa.Table.from_pylist(rows, schema=schema).columns, strict=True):
        lesson = lesson.append_column(name, column)
    parts = {"train": pc.invert(lesson["held_out"]), "valid": lesson["held_out"]}
    for name, mask in parts.items():
        write_table(folder / f"{name}.parquet", lesson.filter(mask).drop_columns(["replayed", "held_out"]))
    write_table(folder / "lesson.parquet", lesson)
    return folder


def _gather_rows(context: RunContext, stages: Sequence[int]) -> tuple[dict[int, Answer], dict[int, Answer]]:
    """Return row number → label of the pool and of the replay, which is as large as the pool.

    A reviewed row has the label that was decided for it, with the reviewer's answer as evidence.
    """
    rows = pa.concat_tables(read_stage_labels(context.folder, stage) for stage in stages).to_pylist()
    pooled: dict[int, Answer] = {
        row[ROW]: row["label"]
        for row in rows
        if read_answer(row["review_label"]) is not None and row["copied_from"] is None
    }
    # A vote that stands against its review has its row in the pool already: it must not be held out and taught at once.
    agreed = [row for row in rows if row["agreement"] == 1.0 and row["source"] == "vote" and row[ROW] not in pooled]
    space = make_space(context.read_task())
    chosen = choose_replay(
        space.encode_all([row[VOTED] for row in agreed]),
        np.array([row["confidence"] for row in agreed], dtype=np.float64),
        len(pooled),
    )
    return pooled, {agreed[index][ROW]: agreed[index][VOTED] for index in chosen}


def _teach(context: RunContext, job: Job, stage: int, round_: int, lesson: Path) -> None:
    """Fine-tune one specialist in the sandbox; one that cannot learn stays as it is, and says so.

    Only weights and metrics leave the sandbox: configuration and tokenizer stay those of the version before.
    """
    target = context.folder.model(job.name, round_)
    if target.exists():
        return
    if not (job.scripts / "finetune.py").exists():
        if round_ == 1:
            context.emit(
                Noticed(message=f"{job.name} has a script of its own; it is not fine-tuned and stays as it is")
            )
        return
    scratch = lesson / job.name
    result = _train(context, job, stage, round_, lesson)
    why = "" if result.cause == "ok" else f"{result.cause}: {result.detail} {result.stderr[-500:]}".strip()
    if not why:
        try:
            read_record(scratch / METRICS, TrainingMetrics)
        except RunFolderError as error:
            why = error.what
    if why:
        context.emit(Noticed(message=f"{job.name} could not be fine-tuned and stays as it is ({why})"))
        return
    with written_whole(target) as folder:
        shutil.copytree(job.model, folder, ignore=shutil.ignore_patterns(*OF_A_VERSION))
        for file in (WEIGHTS, METRICS):
            shutil.copyfile(scratch / file, folder / file)
        rows = pq.read_table(lesson / "train.parquet", columns=["id"])["id"].to_numpy().tolist()
        write_json(lesson_file(folder), Lesson(came_from=job.version, rows=tuple(rows)))
    shutil.rmtree(scratch)


def _train(context: RunContext, job: Job, stage: int, round_: int, lesson: Path) -> RunResult:
    """Run the fine-tune script, from its last checkpoint where a run that was killed left one.

    Where that fails it trains from the start: a checkpoint must not be what keeps a specialist from learning.
    """
    checkpoint = lesson / job.name / CHECKPOINT
    resuming = checkpoint.exists()

    def tell(step: WorkerProgress) -> None:
        context.emit(EpochTrained(stage=stage, model=job.name, done=step.done, total=step.total))

    result = context.sandbox.run(_training_spec(context, job, round_, lesson), tell)
    check_sandbox(context, result, f"while {job.name} was learning")
    if result.cause == "ok":
        return result
    checkpoint.unlink(missing_ok=True)
    return _train(context, job, stage, round_, lesson) if resuming else result


def _training_spec(context: RunContext, job: Job, round_: int, lesson: Path) -> RunSpec:
    """Return how a specialist's fine-tune script is run: from its checkpoint where there is one."""
    seed, threads = context.settings.seed + round_, context.settings.threads
    checkpoint = lesson / job.name / CHECKPOINT
    resume = {CHECKPOINT: checkpoint} if checkpoint.exists() else {}
    size = sum(file.stat().st_size for file in job.model.glob("*.safetensors"))
    most = max(SMALLEST_ROOM, GROWTH * size)  # few weights are trained: a checkpoint is smaller than the model
    return RunSpec(
        argv=(
            *COMMAND,
            *("--seed", str(seed), "--threads", str(threads)),
            *(("--resume", f"in/{CHECKPOINT}") if resume else ()),
        ),
        inputs={
            "scripts": job.scripts,
            "model": job.model,
            "labels.json": job.labels,
            "train.parquet": lesson / "train.parquet",
            "valid.parquet": lesson / "valid.parquet",
            **resume,
        },
        outputs={
            f"model/{WEIGHTS}": Output(checkpoint.with_name(WEIGHTS), "safetensors", limit=most),
            METRICS: Output(checkpoint.with_name(METRICS), "json", limit=LARGEST_METRICS),
            CHECKPOINT: Output(checkpoint, "safetensors", limit=most, optional=True),
        },
        limits=Limits(
            seconds=TRAIN_SECONDS,
            threads=threads,
            file_size=max(Limits.file_size, most),
            storage=max(Limits.storage, 2 * most),
        ),
        trusted=job.trusted,
    )
