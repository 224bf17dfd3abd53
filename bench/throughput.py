"""How many rows a second one specialist labels: our warm worker, the library's pipeline, and one row at a time.

The three are processes of their own with the same model, rows, files, threads and number type, and they take turns, so
that a busy moment of the machine does not fall on one alone. Starting a process and the first loading of the model are
not counted; the paper's way loads the model again and again, and that is counted, for it is its way. Measure on an idle
machine: our script lets waiting threads sleep and the peers keep the library's default, which is to spin, so that
sharing the processor slows them more.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from autoannotator.commands import Outcome
from autoannotator.settings import has_bfloat16
from bench.measuring import BenchResult, Measure, describe_machine, make_folder, summarise, tabulate_result, write_raw
from bench.texts import SAMPLE, draw_texts, read_texts
from graphs.engine import SECONDS_PER_SHARD, START_SECONDS, Job, worker_spec
from hub.cache import default_cache
from hub.client import HubClient
from hub.starter_hub import open_starter_hub
from records.base import Record
from records.candidate import Candidate
from records.errors import ModelError
from records.folder import write_json, write_table, write_text
from records.protocol import AnnotateRequest, LabelsFile
from records.rows import script_input
from records.settings import Settings
from sandbox.base import Limits, Output, RequestFailed, RunSpec, Worker, WorkerDied
from sandbox.process import ProcessSandbox
from templates.renderer import render_annotate

MODEL = "starter/minilm-film-review-sentiment"
OURS, PIPELINE, ONE_BY_ONE = "ours", "pipeline", "one_by_one"
SHARD_ROWS: int = Settings.model_fields["shard_size"].default
LEAST_AGREEMENT = 0.99
"""Where fewer labels agree, the two do not do the same work and their speeds cannot be compared."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured. One row at a time is so slow that it gets only the first `slow_rows` of the rows."""

    rows: int
    slow_rows: int
    seeds: int


FULL = Plan(rows=3000, slow_rows=200, seeds=5)
QUICK = Plan(rows=400, slow_rows=50, seeds=3)


class Subject(Record):
    """The model that all ways run, its class names, and the threads and number type that they run it with."""

    model: Path
    classes: dict[int, str]
    threads: int
    dtype: str


class Repetition(Record):
    """The rows a second of each way on the rows of one seed, and the share of rows on which the first two agree."""

    seed: int
    rows_per_second: dict[str, float]
    agreement: float


def throughput(options: argparse.Namespace) -> Outcome:
    """Run the benchmark. Raises PersonError where `--out` cannot be written to, and as the hub and the sandbox do."""
    console = Console(stderr=True)

    def tell(message: str) -> None:
        console.print(message, markup=False, highlight=False)

    plan = QUICK if options.quick else FULL
    plan = Plan(plan.rows, plan.slow_rows, options.seeds or plan.seeds)
    texts = read_texts(options.data)
    make_folder(options.out)
    machine = describe_machine()
    with open_starter_hub(default_cache(), tell) as endpoint:
        subject = fetch_subject(endpoint, MODEL)
    repetitions = measure_ways(subject, texts, plan, tell)
    result = BenchResult(
        bench="throughput",
        machine={**machine, "threads": subject.threads, "dtype": subject.dtype},
        data=f"{len(texts)} texts of {options.data or SAMPLE.name}, {plan.rows} drawn in each repetition",
        method=f"{plan.seeds} interleaved repetitions: medians, with the least and the greatest",
        measures=summarise_repetitions(repetitions),
    )
    write_raw(options.out, result, repetitions)
    return Outcome([tabulate_result(result)], result.model_dump(mode="json"))


def fetch_subject(endpoint: str, repo_id: str) -> Subject:
    """Return a model of the Hub at `endpoint`, downloaded, to be run on all of this machine's cores."""
    client = HubClient(endpoint)
    candidate = _find_model(client, repo_id)
    return Subject(
        model=Path(client.download(candidate).folder),
        classes=candidate.id2label,
        threads=len(os.sched_getaffinity(0)),
        dtype="bfloat16" if has_bfloat16() else "float32",
    )


def _find_model(client: HubClient, repo_id: str) -> Candidate:
    for candidate in client.search(repo_id, limit=1):
        if candidate.repo_id == repo_id and (found := client.read(candidate)) is not None:
            return found
    raise ModelError(f"{repo_id} is not on the Hub at {client.endpoint}", next_step="Install the package again.")


def measure_ways(subject: Subject, texts: list[str], plan: Plan, tell: Tell) -> list[Repetition]:
    """Measure every way once a seed, in turns, after one turn that warms up and is not counted.

    Raises ModelError where a way fails.
    """
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as temporary:
        scratch = Path(temporary)
        tell("starting the three ways")
        with open_ways(subject, scratch) as ways:
            _measure_turn(ways, draw_texts(texts, plan.slow_rows, seed=0), plan, scratch, seed=0)
            repetitions = []
            for seed in range(1, plan.seeds + 1):
                turn = _measure_turn(ways, draw_texts(texts, plan.rows, seed), plan, scratch, seed)
                speeds = ", ".join(f"{name} {speed:.0f}" for name, speed in turn.rows_per_second.items())
                tell(f"repetition {seed} of {plan.seeds}: {speeds} rows/s")
                repetitions.append(turn)
    return repetitions


@contextmanager
def open_ways(subject: Subject, scratch: Path) -> Iterator[dict[str, Worker]]:
    """Yield a warm worker for each way, in the order in which they take turns."""
    specs = {
        OURS: worker_spec(write_job(subject, scratch), subject.threads),
        PIPELINE: _peer_spec(PIPELINE, subject),
        ONE_BY_ONE: _peer_spec(ONE_BY_ONE, subject),
    }
    sandbox = ProcessSandbox()
    with ExitStack() as stack, _failing_as_model():
        yield {name: stack.enter_context(sandbox.open(spec)) for name, spec in specs.items()}


def write_job(subject: Subject, folder: Path) -> Job:
    """Write our script and its labels into `folder`; return the job that runs the subject with them."""
    scripts, labels = folder / "scripts", folder / "labels.json"
    scripts.mkdir()
    write_text(scripts / "annotate.py", render_annotate(subject.classes).text)
    write_json(labels, LabelsFile(labels=tuple(subject.classes.values())))
    return Job(MODEL, 0, subject.model, scripts, labels, subject.dtype, trusted=True)


def _peer_spec(way: str, subject: Subject) -> RunSpec:
    arguments = ("--model", "in/model", "--threads", str(subject.threads), "--dtype", subject.dtype)
    return RunSpec(
        argv=("python", "in/peer.py", way, *arguments),
        inputs={"peer.py": Path(__file__).with_name("peer.py"), "model": subject.model},
        limits=Limits(seconds=START_SECONDS, threads=subject.threads),
        trusted=True,
    )


def _measure_turn(ways: Mapping[str, Worker], texts: Sequence[str], plan: Plan, scratch: Path, seed: int) -> Repetition:
    speeds: dict[str, float] = {}
    labels: dict[str, dict[int, str]] = {}
    for name, worker in ways.items():
        rows = texts[: plan.slow_rows] if name == ONE_BY_ONE else texts
        seconds, labels[name] = label_rows(worker, rows, scratch)
        speeds[name] = len(rows) / seconds
    same = sum(labels[PIPELINE][row] == label for row, label in labels[OURS].items())
    return Repetition(seed=seed, rows_per_second=speeds, agreement=same / len(texts))


def label_rows(worker: Worker, texts: Sequence[str], scratch: Path) -> tuple[float, dict[int, str]]:
    """Return the seconds that a worker took, one request a shard, from file to file, and row → label."""
    seconds, labels = 0.0, {}
    source, target = scratch / "rows.parquet", scratch / "labelled.parquet"
    for first in range(0, len(texts), SHARD_ROWS):
        part = texts[first : first + SHARD_ROWS]
        write_table(source, pa.table({"id": range(first, first + len(part)), "text": part}, schema=script_input()))
        request = AnnotateRequest(id=str(first), input="in/rows.parquet", output="out/rows.parquet")
        started = perf_counter()
        worker.request(
            request,
            inputs={"rows.parquet": source},
            outputs={"rows.parquet": Output(target, "parquet")},
            seconds=SECONDS_PER_SHARD,
        )
        seconds += perf_counter() - started
        table = pq.read_table(target, columns=["id", "label"])
        labels.update(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))
    return seconds, labels


def summarise_repetitions(repetitions: Sequence[Repetition]) -> tuple[Measure, ...]:
    """Return the speeds, the ratios (of each repetition, not of the medians) and the agreement."""
    speeds = {name: [one.rows_per_second[name] for one in repetitions] for name in (OURS, PIPELINE, ONE_BY_ONE)}
    ratios = {
        peer: [ours / theirs for ours, theirs in zip(speeds[OURS], speeds[peer], strict=True)]
        for peer in (PIPELINE, ONE_BY_ONE)
    }
    agreement = [one.agreement for one in repetitions]
    return (
        *(summarise(f"rows_per_second_{name}", samples, "rows/s") for name, samples in speeds.items()),
        *(summarise(f"speed_ours_to_{peer}", samples, "times") for peer, samples in ratios.items()),
        summarise("label_agreement_with_pipeline", agreement, "share of rows", at_least=LEAST_AGREEMENT),
    )


@contextmanager
def _failing_as_model() -> Iterator[None]:
    try:
        yield
    except RequestFailed as failure:
        raise ModelError(f"a way failed: {failure}", next_step="Report it, with the data.") from failure
    except WorkerDied as death:
        raise ModelError(f"a way failed: {death}\n{death.result.stderr[-2000:]}", next_step="Report it.") from death
