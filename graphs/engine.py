"""Where shards are annotated: files in, files out. The local engine keeps one warm worker a model on this machine."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from records.errors import ModelError, SandboxError
from records.folder import write_json
from records.protocol import AnnotateRequest, WorkerResult
from sandbox.base import Limits, Output, RequestFailed, RunSpec, Sandbox, Worker, WorkerDied

START_SECONDS = 300.0
SECONDS_PER_SHARD = 1800.0
LARGEST_HEAD, LARGEST_ROW = 2**20, 2**15
"""Bytes of an annotated shard: of the file itself, and of a row with its hidden state."""


@dataclass(frozen=True)
class Job:
    """A model at one version, ready to annotate; `trusted`: its scripts and weights are this package's own."""

    name: str
    version: int
    model: Path
    scripts: Path
    labels: Path
    dtype: str
    trusted: bool


@dataclass(frozen=True)
class Shard:
    """One file of rows (columns id, text) to annotate into one file (see `records.rows.script_output`).

    `receipt` is the worker's word on it (`Receipt`), written after the output: where it exists, the shard is done.
    """

    input: Path
    output: Path

    @property
    def receipt(self) -> Path:
        return self.output.with_suffix(".json")


@dataclass(frozen=True)
class Assignment:
    """The shards that one model is to annotate, with its hidden states (`features`) and the probabilities of its own
    classes (`classes`) or without."""

    job: Job
    shards: tuple[Shard, ...]
    features: bool = False
    classes: bool = False


class Receipt(WorkerResult):
    """What is kept of an annotated shard beside its rows. `seconds`: how long the worker took for it."""

    seconds: float


Progress = Callable[[Job, int, int], None]
"""Told with the shards done and the shards in all."""


class Engine(Protocol):
    def annotate(self, assignments: Sequence[Assignment], on_progress: Progress | None = None) -> dict[Job, str]:
        """Annotate every shard that is not done yet; return job → why, for those that failed.

        Raises SandboxError where the sandbox failed, not the script.
        """
        ...

    def release(self, name: str, version: int) -> None:
        """End whatever is kept warm for a model at this version."""
        ...

    def close(self) -> None: ...


class LocalEngine:
    """Warm workers in a sandbox on this machine, at most `concurrency` of them busy at a time."""

    def __init__(self, sandbox: Sandbox, *, threads: int, concurrency: int) -> None:
        self._sandbox = sandbox
        self._threads = threads
        self._concurrency = concurrency
        self._workers: dict[tuple[str, int], Worker] = {}
        self._pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="engine")

    def annotate(self, assignments: Sequence[Assignment], on_progress: Progress | None = None) -> dict[Job, str]:
        pending = [(one.job, self._pool.submit(self._work, one, on_progress)) for one in assignments]
        failures: dict[Job, str] = {}
        errors: list[BaseException] = []
        for job, future in pending:
            error = future.exception()
            if isinstance(error, ModelError):
                failures[job] = error.what
            elif error is not None:
                errors.append(error)
        if errors:
            raise errors[0]
        return failures

    def _work(self, assignment: Assignment, on_progress: Progress | None) -> None:
        job, shards = assignment.job, assignment.shards
        for done, shard in enumerate(shards):
            if not shard.receipt.exists():
                self._annotate_shard(job, shard, assignment)
            if on_progress:
                on_progress(job, done + 1, len(shards))

    def _annotate_shard(self, job: Job, shard: Shard, wanted: Assignment) -> None:
        rows = pq.read_metadata(shard.input).num_rows
        request = AnnotateRequest(
            id=shard.input.stem,
            input="in/rows.parquet",
            output="out/rows.parquet",
            features=wanted.features,
            classes=wanted.classes,
        )
        worker, began = self._warm_worker(job), time.monotonic()
        try:
            result = worker.request(
                request,
                inputs={"rows.parquet": shard.input},
                outputs={"rows.parquet": Output(shard.output, "parquet", limit=LARGEST_HEAD + rows * LARGEST_ROW)},
                seconds=SECONDS_PER_SHARD,
            )
        except RequestFailed as failure:
            raise _broken(job, str(failure)) from failure
        except WorkerDied as death:
            self.release(job.name, job.version)
            if death.result.cause == "infra":
                raise SandboxError(
                    f"the {self._sandbox.name} sandbox failed: {death.result.detail}",
                    next_step="See `autoannotator doctor`, then `autoannotator resume RUN`.",
                ) from death
            raise _broken(job, f"{death}\n{death.result.stderr[-2000:]}") from death
        write_json(shard.receipt, Receipt(**dict(result), seconds=time.monotonic() - began))

    def _warm_worker(self, job: Job) -> Worker:
        key = (job.name, job.version)
        if key not in self._workers:
            worker = self._sandbox.open(worker_spec(job, self._threads))
            self._workers[key] = worker.__enter__()
        return self._workers[key]

    def release(self, name: str, version: int) -> None:
        worker = self._workers.pop((name, version), None)
        if worker is not None:
            worker.__exit__(None, None, None)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        with ExitStack() as stack:
            for worker in self._workers.values():
                stack.push(worker)
            self._workers.clear()
        self._pool.shutdown(wait=True)


def worker_spec(job: Job, threads: int) -> RunSpec:
    """Return how a model's annotate script is started as a warm worker."""
    arguments = ("--model", "in/model", "--labels", "in/labels.json", "--threads", str(threads), "--dtype", job.dtype)
    return RunSpec(
        argv=("python", "in/scripts/annotate.py", *arguments, "--serve"),
        inputs={"scripts": job.scripts, "model": job.model, "labels.json": job.labels},
        limits=Limits(seconds=START_SECONDS, threads=threads),
        trusted=job.trusted,
    )


def _broken(job: Job, why: str) -> ModelError:
    return ModelError(
        f"the specialist {job.name} (version {job.version}) failed: {why.strip()}",
        next_step=f"See its scripts: {job.scripts}",
    )
