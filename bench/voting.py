"""How right the labels are after the vote and the reviews: ours beside the paper's rule and what else there is.

Streams of real texts, each with an ensemble from other corpora and with the starter hub's best, are labelled with
reviewers that are played from the gold labels (`reviewers.py`). Fine-tuning is off; the head on hidden states is on.
Every method gets the same reviewer's same answers, taken through the project's own prompts. Reviews are counted with
the probe and the spot checks in them.
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from threadpoolctl import threadpool_limits

from autoannotator.commands import Outcome
from bench.measuring import BenchResult, describe_machine, make_folder, tabulate_result, write_raw
from bench.outputs import Outputs, read_all_outputs
from bench.reviewers import REVIEWERS, Reviewer
from bench.simulated_review import SimulatedReview, Tokens, hire_reviewer
from bench.streams import Stream, read_streams
from bench.voting_measures import (
    LEAST_CALIBRATION_ROWS,
    SMALL_SHARE,
    VotingRun,
    group_cells,
    interval,
    measure_labels,
    summarise_runs,
)
from bench.voting_run import hold_rule, label_plainly, run_stages

GOLD_ROWS = 200
SINGLE_REQUESTS = 100
"""Rows drawn to be asked about one by one: what all of them would take so is that of these, scaled up."""
METHODS = (
    *("best_single", "majority", "soft_vote", "dawid_skene", "paper_rule", "perfect_choice"),
    *("perfect_choice_ceiling", "reviewer_alone", "calibrated_20", "calibrated", "calibrated_gold"),
)


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    seeds: int
    reviewers: tuple[Reviewer, ...]


FULL = Plan(seeds=5, reviewers=REVIEWERS)
QUICK = Plan(seeds=1, reviewers=tuple(one for one in REVIEWERS if one.name in {"0.75", "0.95"}))


def voting(options: argparse.Namespace) -> Outcome:
    """Run the benchmark. Raises PersonError where `--out` cannot be written to, DataError for a folder without corpora,
    and as the hub and the engine do."""
    console = Console(stderr=True)

    def tell(message: str) -> None:
        console.print(message, markup=False, highlight=False)

    plan = QUICK if options.quick else FULL
    plan = Plan(options.seeds or plan.seeds, plan.reviewers)
    # With --quick one stream does: the first of the folder's, or the shipped reviews.
    streams = read_streams(options.data)
    streams = [one for one in streams if not options.quick or one.name == streams[0].name]
    make_folder(options.out)
    machine = describe_machine()
    outputs = read_all_outputs(streams, tell)
    runs: list[VotingRun] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        cells = [
            pool.submit(run_cell, stream, said, reviewer, plan.seeds)
            for stream, said in zip(streams, outputs, strict=True)
            for reviewer in plan.reviewers
        ]
        for cell in cells:
            runs += cell.result()
            tell(describe_cell(cell.result()))
    described = ", ".join(f"{one.name}/{one.kind} {len(one.texts)} rows" for one in streams)
    result = BenchResult(
        bench="voting",
        machine=machine,
        data=f"{options.data or 'the shipped sample bench/data'}: {described}",
        method=f"{plan.seeds} seeds (reviewer's errors, draws, ties); intervals: 95 % by Student's t over seeds, for a "
        "worst figure those of its stream and reviewer. Reviewers are simulated from gold labels, behind a server that "
        "counts tokens (characters / 4): for calibrated_20 and for all rows request by request, for all rows asked "
        f"about singly from {SINGLE_REQUESTS} of them, for the other methods as their share of all rows. The "
        "specialists' outputs are computed once and kept.",
        measures=summarise_runs(runs),
    )
    write_raw(options.out, result, runs)
    return Outcome([Group(tabulate_methods(runs), tabulate_result(result))], result.model_dump(mode="json"))


def run_cell(stream: Stream, outputs: Outputs, reviewer: Reviewer, seeds: int) -> list[VotingRun]:
    """Return the runs of all seeds on a stream with one reviewer, computed on one thread."""
    with threadpool_limits(1):
        return [run_seed(stream, outputs, reviewer, seed) for seed in range(1, seeds + 1)]


def run_seed(stream: Stream, outputs: Outputs, reviewer: Reviewer, seed: int) -> VotingRun:
    """Return every method's figures on a stream with one reviewer and one seed."""
    rows = len(stream.gold)
    rival = hold_rule(outputs)
    small, ruled = int(SMALL_SHARE * rows), int(rival.disputed.sum())
    with hire_reviewer(stream, reviewer, seed) as hired:
        answers, batched = hired.ask(np.arange(rows))
        singly = _sample_single_requests(hired, seed)
        labelled = label_plainly(stream, outputs, answers, rival, seed)
        curve = list(run_stages(stream, outputs, answers, stops=tuple(sorted({small, ruled})), seed=seed))
        labelled["calibrated_20"] = next(one for one in curve if one.reviewed == small)
        labelled["calibrated"] = next(one for one in curve if one.reviewed == ruled)
        if rows >= LEAST_CALIBRATION_ROWS:
            gold = np.random.default_rng([seed, GOLD_ROWS]).choice(rows, GOLD_ROWS, replace=False)
            *_, labelled["calibrated_gold"] = run_stages(stream, outputs, answers, stops=(ruled,), seed=seed, gold=gold)
        tokens = {name: batched.scale(one.reviewed / rows) for name, one in labelled.items()}
        tokens["calibrated_20"] = hired.count_tokens(labelled["calibrated_20"].steps)
    return VotingRun(
        stream=stream.name,
        kind=stream.kind,
        rows=rows,
        reviewer=reviewer.name,
        seed=seed,
        methods={name: measure_labels(one, stream.gold, tokens[name]) for name, one in labelled.items()},
        curve=tuple((one.reviewed / rows, float((one.label == stream.gold).mean())) for one in curve),
        tokens_singly=singly.total,
        tokens_batched=batched.total,
    )


def _sample_single_requests(hired: SimulatedReview, seed: int) -> Tokens:
    """Return what one request a row takes for all rows, from a random sample."""
    rows = len(hired.stream.gold)
    drawn = np.random.default_rng([seed, SINGLE_REQUESTS]).permutation(rows)[:SINGLE_REQUESTS]
    return hired.ask(drawn, batch=1)[1].scale(rows / len(drawn))


def describe_cell(runs: Sequence[VotingRun]) -> str:
    """Return one line on the seeds of one stream and reviewer."""
    one = runs[0]
    shown = ("best_single", "paper_rule", "calibrated", "perfect_choice", "calibrated_20", "reviewer_alone")
    means = {name: float(np.mean([run.accuracy_of(name) for run in runs])) for name in shown}
    share = one.methods["paper_rule"].reviewed
    closed = float(np.mean([run.gap_closed for run in runs]))
    error = float(np.mean([run.methods["calibrated"].calibration_error for run in runs]))
    figures = ", ".join(f"{name} {100 * value:.1f}" for name, value in means.items())
    return (
        f"{one.stream}/{one.kind}, reviewer {one.reviewer}: rule reviews {share:.0%}; {figures}; "
        f"gap closed {closed:.0%}, calibration error {error:.3f}"
    )


def tabulate_methods(runs: Sequence[VotingRun]) -> Table:
    """Return the table of every method on every stream with every reviewer: means over seeds with half their 95 %
    intervals."""
    columns = ("stream", "reviewer", "method", "accuracy", "macro F1", "calib. error", "reviewed", "tokens", "USD")
    table = Table(*columns, title="methods", box=None)
    for (stream, kind, reviewer), group in group_cells(runs).items():
        for name in METHODS:
            figures = [run.methods[name] for run in group if name in run.methods]
            if figures:
                table.add_row(
                    f"{stream}/{kind}",
                    reviewer,
                    name,
                    _show([100 * one.accuracy for one in figures], 1),
                    _show([100 * one.macro_f1 for one in figures], 1),
                    _show([one.calibration_error for one in figures], 3),
                    _show([100 * one.reviewed for one in figures], 0) + " %",
                    _show([one.tokens for one in figures], 0),
                    _show([one.dollars for one in figures], 3),
                )
    return table


def _show(samples: Sequence[float], digits: int) -> str:
    mean, around = interval(samples)
    half = f" ± {around[1] - mean:.{digits}f}" if around else ""
    return f"{mean:.{digits}f}{half}"
