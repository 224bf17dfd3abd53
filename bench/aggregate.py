"""How fast a million rows of votes become labels: majority, Dawid–Skene and the calibrated combination, beside
crowd-kit.

Each repetition draws new probabilities, and all ways label the same rows. Ours start from the specialists'
probabilities in single precision; crowd-kit from a data frame of votes, whose making is not counted. crowd-kit is in
the extra `bench`; without it ours is measured alone.
"""

import argparse
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd
from rich.console import Console

from autoannotator.commands import Outcome
from bench.measuring import BenchResult, Measure, describe_machine, make_folder, summarise, tabulate_result, write_raw
from records.base import Record
from specialists.dawid_skene import fit_dawid_skene
from specialists.shard_vote import Singles, Small, combine_calibrated, name_votes
from specialists.vote import take_majority

try:
    from crowdkit.aggregation import DawidSkene, MajorityVote  # pyright: ignore[reportMissingImports]
except ImportError:  # an extra: what it would be compared with is then not measured
    DawidSkene = MajorityVote = None

SPECIALISTS, LABELS = 5, 3
SECONDS_TARGET, GIGABYTES_TARGET = 1.5, 1.0
AS_FAST = 1.0


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rows: int
    seeds: int


FULL = Plan(rows=1_000_000, seeds=3)
QUICK = Plan(rows=20_000, seeds=3)


class Repetition(Record):
    """Seconds of each way on the rows of one seed, and the gigabytes that ours holds at its highest, with the
    probabilities; counted in a second pass that is not timed."""

    seed: int
    seconds: dict[str, float]
    gigabytes: float


def aggregate(options: argparse.Namespace) -> Outcome:
    """Run the benchmark. Raises PersonError where `--out` cannot be written to."""
    console = Console(stderr=True)
    plan = QUICK if options.quick else FULL
    plan = Plan(plan.rows, options.seeds or plan.seeds)
    make_folder(options.out)
    machine = describe_machine()
    repetitions = []
    for seed in range(1, plan.seeds + 1):
        repetitions.append(measure_ways(plan.rows, seed))
        shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in repetitions[-1].seconds.items())
        console.print(f"repetition {seed} of {plan.seeds}: {shown} s", markup=False, highlight=False)
    result = BenchResult(
        bench="aggregate",
        machine=machine,
        data=f"{plan.rows} drawn rows, {SPECIALISTS} specialists, {LABELS} labels; --data is not used",
        method=f"{plan.seeds} repetitions: medians, with the least and the greatest. `ours` is majority, Dawid–Skene "
        "and calibrated combination together. "
        + ("crowd-kit with its defaults." if MajorityVote else "crowd-kit is not installed: no peers."),
        measures=summarise_repetitions(repetitions),
    )
    write_raw(options.out, result, repetitions)
    return Outcome([tabulate_result(result)], result.model_dump(mode="json"))


def measure_ways(rows: int, seed: int) -> Repetition:
    """Measure every way once."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(LABELS), (SPECIALISTS, rows)).astype(np.float32)
    seconds, votes = _time_ours(probs, rng)
    tracemalloc.start()
    _time_ours(probs, rng)
    gigabytes = (tracemalloc.get_traced_memory()[1] + probs.nbytes) / 1e9
    tracemalloc.stop()
    if MajorityVote is not None and DawidSkene is not None:
        frame = _tabulate_votes(votes)
        majority, latent = MajorityVote(), DawidSkene()
        seconds["crowd_kit_majority"] = _time(lambda: majority.fit_predict(frame))
        seconds["crowd_kit_dawid_skene"] = _time(lambda: latent.fit_predict(frame))
    return Repetition(seed=seed, seconds=seconds, gigabytes=gigabytes)


def _time_ours(probs: Singles, rng: np.random.Generator) -> tuple[dict[str, float], Small]:
    matrices = np.eye(LABELS, dtype=np.float32) * rng.uniform(0.5, 1.5, (SPECIALISTS, 1, 1)).astype(np.float32)
    bias = np.zeros(LABELS, dtype=np.float32)
    started = perf_counter()
    votes = name_votes(probs)
    named = perf_counter() - started
    majority = named + _time(lambda: take_majority(votes, LABELS))
    latent = named + _time(lambda: fit_dawid_skene(votes, LABELS).label(votes))
    calibrated = _time(lambda: combine_calibrated(probs, matrices, bias))
    whole = majority + latent - named + calibrated
    return {"majority": majority, "dawid_skene": latent, "calibrated": calibrated, "ours": whole}, votes


def _time(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _tabulate_votes(votes: Small) -> pd.DataFrame:
    specialists, rows = votes.shape
    return pd.DataFrame(
        {
            "task": np.tile(np.arange(rows), specialists),
            "worker": np.repeat(np.arange(specialists), rows),
            "label": votes.ravel().astype(np.int64),
        }
    )


def summarise_repetitions(repetitions: Sequence[Repetition]) -> tuple[Measure, ...]:
    """Return the seconds, the memory, and how many times the peers' time ours takes."""
    ways = {name: [one.seconds[name] for one in repetitions] for name in repetitions[0].seconds}
    measures = [
        summarise("seconds_ours", ways["ours"], "s", at_most=SECONDS_TARGET),
        summarise("gigabytes_ours", [one.gigabytes for one in repetitions], "GB", at_most=GIGABYTES_TARGET),
        *(summarise(f"seconds_{name}", samples, "s") for name, samples in ways.items() if name != "ours"),
    ]
    for ours in ("majority", "dawid_skene"):
        name = f"time_of_{ours}_to_crowd_kit"
        peer = ways.get(f"crowd_kit_{ours}")
        if peer is None:
            measures.append(
                Measure(name=name, value=None, interval=None, target=AS_FAST, ok=None, unit="times at most")
            )
        else:
            samples = [one / other for one, other in zip(ways[ours], peer, strict=True)]
            measures.append(summarise(name, samples, "times at most", at_most=AS_FAST))
    return tuple(measures)
