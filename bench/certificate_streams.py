"""What a certified target takes on real streams: the vote and its estimates are those of a run, and nothing is
calibrated by construction."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.outputs import Outputs, read_all_outputs
from bench.rates import SimulatedRun
from bench.reviewers import REVIEWERS, Answers, Reviewer, answer_rows
from bench.simulated_runs import TARGET, Labelled, play
from bench.streams import Stream, read_streams
from bench.voting_run import BATCH_SHARE, MOST_PROBE, PROBE_SHARE, SPOT_SHARE
from specialists.arrays import Booleans, Floats, Integers
from specialists.audit_planning import choose_start
from specialists.calibrated_vote import ReviewedRows, apply_vote, fit_vote, score_rows
from specialists.certificate import count_allowed
from specialists.combination import NOT_ASKED

ASKED_OF = ("0.85", "0.95")
"""The reviewers against whom a target is measured."""


@dataclass(frozen=True)
class _Reviewed:
    """A stream when its reviews before the audit are done: labels as a run has them under a target, and the fewest
    reviews, in the order of any of its votes, after which they truly meet it."""

    labelled: Labelled
    fewest: int


def play_streams(folder: Path | None, seeds: int, tell: Callable[[str], None], *, quick: bool) -> list[SimulatedRun]:
    """Return the runs of every stream with each of the reviewers; the first stream's alone with `quick`.

    Raises DataError for a folder without corpora, and as the hub and the engine do.
    """
    streams = read_streams(folder)
    streams = streams[:1] if quick else streams
    outputs = read_all_outputs(streams, tell)
    runs: list[SimulatedRun] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        cells = [
            pool.submit(play_cell, stream, said, reviewer, seeds)
            for stream, said in zip(streams, outputs, strict=True)
            for reviewer in REVIEWERS
            if reviewer.name in ASKED_OF
        ]
        for cell in cells:
            runs += cell.result()
            tell(f"{runs[-1].scenario}: {len(cell.result())} runs")
    return runs


def play_cell(stream: Stream, outputs: Outputs, reviewer: Reviewer, seeds: int) -> list[SimulatedRun]:
    """Return the runs of all seeds on a stream with one reviewer, computed on one thread."""
    name = f"{stream.name}_{stream.kind}_{reviewer.name}"
    with threadpool_limits(1):
        return [play_run(name, stream, outputs, answer_rows(reviewer, stream, seed), seed) for seed in range(seeds)]


def play_run(name: str, stream: Stream, outputs: Outputs, answers: Answers, seed: int) -> SimulatedRun:
    """Return one run: reviews by risk until the estimates meet the target, then the audit and its widening."""
    rng = np.random.default_rng([seed, 5])
    done = _review(stream, outputs, answers, rng)
    run = play(rng, f"stream_{name}", done.labelled)
    reviews = int(done.labelled.reviewed.sum()) + run.reviews
    return run.model_copy(update={"reviews": reviews, "fewest": done.fewest})


def _review(stream: Stream, outputs: Outputs, answers: Answers, rng: np.random.Generator) -> _Reviewed:
    rows = len(stream.texts)
    allowed, fewest = count_allowed(rows, TARGET), rows
    asked, inclusion = np.zeros(rows, dtype=np.bool_), np.ones(rows)
    _draw(rng, asked, inclusion, min(int(PROBE_SHARE * rows), MOST_PROBE))
    probe = int(asked.sum())
    while True:
        label, differs = _vote(outputs, answers, asked, inclusion)
        order = np.flatnonzero(~asked)
        order = order[np.argsort(-differs[order], kind="stable")]
        wrong = (label != answers.label)[order]
        met = wrong.sum() - np.concatenate([[0], np.cumsum(wrong)]) <= allowed
        fewest = min(fewest, int(asked.sum() + met.argmax()))
        size = min(choose_start(differs[order], allowed, int(asked.sum()) - probe), max(int(BATCH_SHARE * rows), 1))
        if size == 0:
            break
        asked[order[:size]] = True
        _draw(rng, asked, inclusion, int(SPOT_SHARE * size))
    group = np.unique(np.array(stream.texts, dtype=object), return_inverse=True)[1]
    answered = np.ones(rows, dtype=np.bool_)
    return _Reviewed(Labelled(label, answers.label, answered, asked, differs, group), fewest)


def _draw(rng: np.random.Generator, asked: Booleans, inclusion: Floats, size: int) -> None:
    """Have so many random rows reviewed of those that nobody chose."""
    left = np.flatnonzero(~asked)
    drawn = rng.choice(left, min(size, len(left)), replace=False)
    asked[drawn], inclusion[drawn] = True, max(len(drawn), 1) / max(len(left), 1)


def _vote(outputs: Outputs, answers: Answers, asked: Booleans, inclusion: Floats) -> tuple[Integers, Floats]:
    """Return the labels (n_rows,), a reviewed row's the answer, and the estimated probabilities (n_rows,) that the
    reviewer says otherwise."""
    nobody = np.full(int(asked.sum()), NOT_ASKED)
    said, sureness = answers.label[asked], answers.sureness[asked]
    fitted = fit_vote(
        ReviewedRows(outputs.probs[:, asked], outputs.states[asked], said, nobody, sureness, inclusion[asked])
    )
    vote, scores = fitted.model.pool(outputs.probs), score_rows(fitted.model, outputs.probs, outputs.states)
    differs = fitted.model.combination.expect_differences(vote, scores)
    label = apply_vote(fitted.model, outputs.probs, outputs.states).argmax(axis=1)
    return np.where(asked, answers.label, label).astype(np.int64), differs
