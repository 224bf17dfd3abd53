"""The gate: what the specialists learned votes only where it proves better on held-out rows."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pyarrow.parquet as pq
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs.annotations import merge_shards, probs_of, shards_for, write_shards
from graphs.context import RunContext
from graphs.engine import Assignment
from graphs.fetching import have_jobs
from graphs.jobs import drop_specialists, read_lock, specialist_job
from graphs.learning import METRICS, lesson_folder
from graphs.state import RunState
from records.errors import ModelError
from records.events import FineTuned, Gated
from records.folder import read_record, write_json
from records.protocol import TrainingMetrics
from records.rows import SCRIPT_TEXTS, read_row_texts
from specialists.label_space import make_space
from specialists.learning import GateVerdict, decide_promotion


def gate(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["annotate_stage"]]:
    """Let every fine-tuned specialist annotate the held-out rows; it votes from now on if it is better there, and no
    more if it cannot be had.

    Raises as `have_jobs` does.
    """
    context, round_ = runtime.context, state["learned"]
    taught = [name for name in state["versions"] if context.folder.model(name, round_).exists()]
    noted = lesson_folder(context, round_) / "gone.json"
    if not noted.exists():  # noted once, as the verdicts are: a model that is back when the node runs again stays out
        verdicts, gone = _judge(context, state, taught)
        for name, verdict in verdicts.items():
            write_json(context.folder.model(name, round_) / "gate.json", asdict(verdict))
        write_json(noted, gone)
    gone = json.loads(noted.read_text(encoding="utf-8"))
    next_stage = state["stage"] + 1
    versions = drop_specialists(context, state, gone, next_stage)
    for name in taught:
        if name not in gone and _pass_gate(context, state, name):
            versions[name] = round_
    update = {"versions": versions, "stage": next_stage, "pool": 0, "pool_from": next_stage}
    return Command(goto="annotate_stage", update=update)


def _pass_gate(context: RunContext, state: RunState, name: str) -> bool:
    """Tell the verdict, end the version that loses, and return whether the new one votes."""
    round_ = state["learned"]
    target = context.folder.model(name, round_)
    verdict = GateVerdict(**json.loads((target / "gate.json").read_text(encoding="utf-8")))
    metrics = read_record(target / METRICS, TrainingMetrics)
    stage = state["stage"]
    context.emit(
        FineTuned(
            stage=stage,
            model=name,
            version=round_,
            rows=metrics.train_rows,
            accuracy_before=verdict.accuracy_before,
            accuracy_after=verdict.accuracy_after,
        )
    )
    context.emit(Gated(stage=stage, model=name, version=round_, promoted=verdict.promoted, reason=verdict.reason))
    context.engine.release(name, state["versions"][name] if verdict.promoted else round_)
    if not verdict.promoted:
        for weights in target.glob("*.safetensors"):
            weights.unlink()
    return verdict.promoted


def _judge(context: RunContext, state: RunState, names: Sequence[str]) -> tuple[dict[str, GateVerdict], dict[str, str]]:
    """Compare both versions of each specialist on the held-out rows, each run by the host, whatever the training
    script measured; return the verdicts, and name → why for those that cannot be had."""
    lesson = lesson_folder(context, state["learned"])
    table = pq.read_table(lesson / "lesson.parquet")
    rows = table.filter(table["held_out"])
    numbers = cast(list[int], rows["id"].to_pylist())
    inputs = write_shards(lesson / "gate", numbers, read_row_texts(rows, SCRIPT_TEXTS), context.settings.shard_size)
    space = make_space(context.read_task())
    truth = space.encode_all(rows["label"].to_pylist())
    covered = {one.name: one.label_map.covered() for one in read_lock(context.folder).specialists}
    replayed = np.array(rows["replayed"].to_pylist(), dtype=np.bool_)
    others = len(names) < len(state["versions"])
    found, gone = have_jobs(context, names, lambda name: _pair_versions(context, state, name, inputs), others=others)
    pairs = {pair[0].job.name: pair for pair in found}
    failures = context.engine.annotate([one for pair in found for one in pair])
    verdicts: dict[str, GateVerdict] = {}
    for name, pair in pairs.items():
        failed = [failures[one.job] for one in pair if one.job in failures]
        try:
            predicted = [] if failed else [space.pick(probs_of(merge_shards(one.shards, space))) for one in pair]
        except ModelError as error:
            failed, predicted = [error.what], []
        verdicts[name] = (
            GateVerdict(False, 0.0, 0.0, "; ".join(failed))
            if failed
            else decide_promotion(*predicted, truth=space.restrict(truth, covered[name]), replayed=replayed)
        )
    return verdicts, gone


def _pair_versions(context: RunContext, state: RunState, name: str, inputs: Sequence[Path]) -> list[Assignment]:
    """Return the annotation of the held-out rows by the version that votes and by the new one."""
    specialist = next(one for one in read_lock(context.folder).specialists if one.name == name)
    jobs = [specialist_job(context, specialist, version) for version in (state["versions"][name], state["learned"])]
    return [Assignment(job, shards_for(inputs, f"{name}-v{job.version}"), features=False) for job in jobs]
