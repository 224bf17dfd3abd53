"""What a sandbox costs beside a bare process: starting a warm worker, and one request to it.

All take turns, so that a busy moment of the machine does not fall on one alone. A start is that of our annotate script
with a real model, to the line that says it is ready. A request goes to a worker that only hands its input back
(`echo.py`), so that a model's own, larger and varying time does not hide what the sandbox adds. The bare process is
started and spoken to with nothing between. A request's data is copied into a sandbox and out of it, and the result is
written through to the disk; that is timed alone, in the same turn, and taken off. What is left holds the parsing of the
result by the host.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow as pa
from rich.console import Console

from autoannotator.commands import Outcome
from bench.measuring import BenchResult, Measure, describe_machine, make_folder, summarise, tabulate_result, write_raw
from bench.texts import SAMPLE, draw_texts, read_texts
from bench.throughput import MODEL, Subject, fetch_subject, write_job
from graphs.engine import SECONDS_PER_SHARD, worker_spec
from hub.cache import default_cache
from hub.starter_hub import open_starter_hub
from records.base import Record
from records.errors import ModelError, SandboxError
from records.folder import write_table, written_whole
from records.protocol import AnnotateRequest
from records.rows import script_input
from sandbox.base import Output, RunSpec, Sandbox, WorkerDied
from sandbox.choose import CONTAINING, choose_sandbox
from sandbox.environment import clean_environment

BARE = "bare"
START_TARGETS = {"docker": 1.5, "bwrap": 0.3}
"""Seconds that a start may cost beyond the bare one."""
REQUEST_TARGET = 3.0
"""Milliseconds that a request may cost beyond the bare one and the copying of its data."""
ROWS = 16

Tell = Callable[[str], None]
Ask = Callable[[], object]
Way = AbstractContextManager[Ask]


@dataclass(frozen=True)
class Plan:
    """How much is measured: `turns` starts of each way, and `requests` to each worker started."""

    turns: int
    requests: int


FULL = Plan(turns=9, requests=300)
QUICK = Plan(turns=2, requests=100)


class Turn(Record):
    """Seconds of one turn, by way: the start, and the median of the requests (with the copying taken off)."""

    start: dict[str, float]
    request: dict[str, float]
    copying: float


def sandbox(options: argparse.Namespace) -> Outcome:
    """Run the benchmark on every sandbox of this machine. Raises PersonError where `--out` cannot be written to."""
    console = Console(stderr=True)

    def tell(message: str) -> None:
        console.print(message, markup=False, highlight=False)

    plan = QUICK if options.quick else FULL
    plan = Plan(options.seeds or plan.turns, plan.requests)
    texts = draw_texts(read_texts(options.data), ROWS, seed=0)
    make_folder(options.out)
    machine = describe_machine()
    sandboxes = find_sandboxes(tell)
    with open_starter_hub(default_cache(), tell) as endpoint:
        subject = fetch_subject(endpoint, MODEL)
    turns = measure_turns(sandboxes, subject, texts, plan, tell)
    result = BenchResult(
        bench="sandbox",
        machine={**machine, "threads": subject.threads, "dtype": subject.dtype},
        data=f"{ROWS} texts of {options.data or SAMPLE.name} a request",
        method=f"{plan.turns} interleaved turns of {plan.requests} requests: medians, with the least and the greatest",
        measures=summarise_turns(turns),
    )
    write_raw(options.out, result, turns)
    return Outcome([tabulate_result(result)], result.model_dump(mode="json"))


def find_sandboxes(tell: Tell) -> dict[str, Sandbox]:
    """Return the sandboxes that contain what runs in them, by name; what is not there is told."""
    found: dict[str, Sandbox] = {}
    for name in CONTAINING:
        try:
            found[name] = choose_sandbox(name)
        except SandboxError as error:
            tell(f"{name} is not measured: {error.what}")
    return found


def measure_turns(
    sandboxes: Mapping[str, Sandbox], subject: Subject, texts: Sequence[str], plan: Plan, tell: Tell
) -> list[Turn]:
    """Measure every way once a turn, after one turn that is not counted. Raises ModelError where a way fails."""
    turns: list[Turn] = []
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as temporary:
        scratch = Path(temporary)
        spec = worker_spec(write_job(subject, scratch), subject.threads)
        source = scratch / "rows.parquet"
        write_table(source, pa.table({"id": range(len(texts)), "text": texts}, schema=script_input()))
        for number in range(plan.turns + 1):
            turn = _measure_turn(sandboxes, spec, source, plan.requests, number)
            if number > 0:
                turns.append(turn)
                started = ", ".join(f"{name} {seconds:.2f}" for name, seconds in turn.start.items())
                tell(f"turn {number} of {plan.turns}: started in {started} s")
    return turns


def _measure_turn(sandboxes: Mapping[str, Sandbox], spec: RunSpec, source: Path, requests: int, number: int) -> Turn:
    """Measure every way once; who is first changes from turn to turn."""
    start: dict[str, float] = {}
    ways = [*_open_ways(sandboxes, spec, source).items()]
    first = number % len(ways)
    for name, opened in ways[first:] + ways[:first]:
        began = perf_counter()
        with opened:
            start[name] = perf_counter() - began
    echo = RunSpec(argv=("python", "in/echo.py"), inputs={"echo.py": Path(__file__).with_name("echo.py")})
    seconds: dict[str, list[float]] = {name: [] for name in start}
    copying: list[float] = []
    with ExitStack() as stack:
        asks = {name: stack.enter_context(way) for name, way in _open_ways(sandboxes, echo, source).items()}
        for _ in range(requests):
            for name, ask in asks.items():
                seconds[name].append(_time(ask))
            copying.append(_time(lambda: _copy_data(source)))
    taken_off = median(copying)
    request = {name: median(values) - taken_off * (name != BARE) for name, values in seconds.items()}
    return Turn(start=start, request=request, copying=taken_off)


def _open_ways(sandboxes: Mapping[str, Sandbox], spec: RunSpec, source: Path) -> dict[str, Way]:
    """Return, by name, what starts the program of `spec` when it is entered, and ends it when it is left."""
    contained = {name: _open_contained(one, spec, source) for name, one in sandboxes.items()}
    return {BARE: _open_bare(spec, source), **contained}


def _time(action: Callable[[], object]) -> float:
    began = perf_counter()
    action()
    return perf_counter() - began


@contextmanager
def _open_contained(one: Sandbox, spec: RunSpec, source: Path) -> Iterator[Ask]:
    request = AnnotateRequest(id="r", input="in/rows.parquet", output="out/rows.parquet")
    inputs, outputs = {"rows.parquet": source}, {"rows.parquet": Output(source.with_name("result"), "parquet")}
    try:
        with one.open(spec) as worker:
            yield lambda: worker.request(request, inputs=inputs, outputs=outputs, seconds=SECONDS_PER_SHARD)
    except WorkerDied as death:
        raise ModelError(
            f"the worker in {one.name} failed: {death}\n{death.result.stderr[-2000:]}", next_step="Report it."
        ) from death


def _copy_data(source: Path) -> None:
    """Copy a request's data in, and out and through to the disk, as a sandbox must."""
    with written_whole(source.with_name("copy")) as temporary:
        shutil.copyfile(source, source.with_name("in"))
        shutil.copyfile(source, temporary)


@contextmanager
def _open_bare(spec: RunSpec, source: Path) -> Iterator[Ask]:
    """Start the program of `spec` as a process with nothing around it, and yield a request when it is ready."""
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as temporary:
        folder = Path(temporary)
        for name in ("in", "out"):
            (folder / name).mkdir()
        for name, path in {**spec.inputs, "rows.parquet": source}.items():
            (folder / "in" / name).symlink_to(path.absolute())
        with subprocess.Popen(
            [sys.executable, *spec.argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=clean_environment(spec.limits, path=str(Path(sys.executable).parent), temporary=temporary),
            bufsize=0,
        ) as process:
            try:
                _read_line(process)
                line = AnnotateRequest(id="r", input="in/rows.parquet", output="out/rows.parquet").model_dump_json()
                yield lambda: (_write_line(process, line), _read_line(process))
            finally:
                process.kill()


def _write_line(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin:
        process.stdin.write(line.encode() + b"\n")


def _read_line(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is None or not process.stdout.readline().endswith(b"\n"):
        raise ModelError("the bare process ended", next_step="Report it.")


def summarise_turns(turns: Sequence[Turn]) -> tuple[Measure, ...]:
    """Return the bare figures, and for each sandbox what it adds, turn by turn."""
    measures = [summarise("start_bare", [turn.start[BARE] for turn in turns], "s")]
    measures.append(summarise("request_bare", [1000 * turn.request[BARE] for turn in turns], "ms"))
    measures.append(summarise("copying", [1000 * turn.copying for turn in turns], "ms"))
    for name in sorted(turns[0].start.keys() - {BARE}):
        starts = [turn.start[name] - turn.start[BARE] for turn in turns]
        requests = [1000 * (turn.request[name] - turn.request[BARE]) for turn in turns]
        measures.append(summarise(f"start_added_by_{name}", starts, "s", at_most=START_TARGETS[name]))
        measures.append(summarise(f"request_added_by_{name}", requests, "ms", at_most=REQUEST_TARGET))
    return tuple(measures)
