# scikit-learn has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""What the runs of the benchmark of voting say together: the figures of a method, and the measures with their
intervals."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import f1_score

from bench.measuring import Measure
from bench.simulated_review import Tokens
from bench.voting_run import Labelled
from records.base import Record
from specialists.arrays import Booleans, Floats, Integers

BINS = 10
LEAST_CALIBRATION_ROWS = 4000
BELOW_BEST = -0.003
NEAR_REVIEWER = 0.10
SMALL_SHARE = 0.2


class Figures(Record):
    """One method on one stream: shares of rows, but for `tokens` (in and out, batched requests, as the simulated
    server counts them) and `dollars`."""

    accuracy: float
    macro_f1: float
    calibration_error: float
    reviewed: float
    tokens: float
    dollars: float


class VotingRun(Record):
    """Every method on one stream with one reviewer and one seed. `curve`: share reviewed → accuracy, after each batch.

    `tokens_singly`: one request a row for all rows, scaled up from a random sample of them; `tokens_batched`: all rows
    in batches.
    """

    stream: str
    kind: str
    rows: int
    reviewer: str
    seed: int
    methods: dict[str, Figures]
    curve: tuple[tuple[float, float], ...]
    tokens_singly: float
    tokens_batched: float

    @property
    def cell(self) -> tuple[str, str, str]:
        return self.stream, self.kind, self.reviewer

    def accuracy_of(self, method: str) -> float:
        return self.methods[method].accuracy

    @property
    def gap_closed(self) -> float:
        """The share of the gap between the paper's rule and the perfect choice that is closed at as many reviews."""
        rule = self.accuracy_of("paper_rule")
        return (self.accuracy_of("calibrated") - rule) / (self.accuracy_of("perfect_choice") - rule)

    @property
    def share_for_rule(self) -> float:
        """The share of the rule's reviews at which the curve first has the rule's accuracy; 1.5 where it never has."""
        rule = self.methods["paper_rule"]
        found = [share for share, accuracy in self.curve if accuracy >= rule.accuracy]
        return found[0] / rule.reviewed if found else 1.5


def measure_labels(labelled: Labelled, gold: Integers, tokens: Tokens) -> Figures:
    """Return the figures of one method."""
    right = labelled.label == gold
    return Figures(
        accuracy=float(right.mean()),
        macro_f1=float(f1_score(gold, labelled.label, average="macro")),
        calibration_error=calibration_error(labelled.confidence, right),
        reviewed=labelled.reviewed / len(gold),
        tokens=tokens.total,
        dollars=tokens.dollars,
    )


def calibration_error(confidence: Floats, right: Booleans) -> float:
    """Return the expected calibration error over BINS bins of equal mass (Naeini et al. 2015); ties in the rows'
    order."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return float(sum(len(one) * abs(confidence[one].mean() - right[one].mean()) for one in bins) / len(right))


def summarise_runs(runs: Sequence[VotingRun]) -> tuple[Measure, ...]:
    """Return the measures 1 to 4; a figure over cells is judged on the interval over seeds of that figure."""
    near = [run for run in runs if run.accuracy_of("best_single") >= run.accuracy_of("reviewer_alone") - NEAR_REVIEWER]
    long = [run for run in runs if run.rows >= LEAST_CALIBRATION_ROWS]
    plain = [run for run in long if run.reviewer in {"0.85", "0.95", "0.85 sure"}]
    return (
        _worst("1_worst_gain_on_best_single", runs, _gain_on_best, at_least=BELOW_BEST),
        _mean("2_gap_closed_mean", runs, lambda run: run.gap_closed, at_least=0.5),
        _worst("2_gap_closed_worst", runs, lambda run: run.gap_closed, at_least=0.3),
        _mean("2_points_over_rule_mean", runs, _points_over_rule),
        _mean("2_share_of_rules_reviews_for_its_accuracy", runs, lambda run: run.share_for_rule, at_most=0.45),
        _worst("3_worst_gain_on_reviewer_at_20_percent", near, _gain_on_reviewer, at_least=0.0),
        _mean("3_mean_gain_on_reviewer_at_20_percent", near, _gain_on_reviewer),
        _worst("3_tokens_saved_to_single_requests", near, _saved("tokens_singly"), at_least=0.9),
        _worst("3_tokens_saved_to_batches", near, _saved("tokens_batched"), at_least=0.75),
        _largest("4_calibration_error_worst", plain, _calibration("calibrated"), at_most=0.03),
        _mean("4_calibration_error_mean", plain, _calibration("calibrated"), at_most=0.03),
        _largest("4_calibration_error_worst_200_gold", long, _calibration("calibrated_gold"), at_most=0.03),
        _mean("4_calibration_error_mean_200_gold", long, _calibration("calibrated_gold"), at_most=0.03),
    )


Figure = Callable[[VotingRun], float]


def _gain_on_best(run: VotingRun) -> float:
    best = run.accuracy_of("best_single")
    return min(run.accuracy_of("calibrated"), run.accuracy_of("calibrated_20")) - best


def _points_over_rule(run: VotingRun) -> float:
    return 100.0 * (run.accuracy_of("calibrated") - run.accuracy_of("paper_rule"))


def _gain_on_reviewer(run: VotingRun) -> float:
    return run.accuracy_of("calibrated_20") - run.accuracy_of("reviewer_alone")


def _saved(beside: str) -> Figure:
    return lambda run: 1.0 - run.methods["calibrated_20"].tokens / float(getattr(run, beside))


def _calibration(method: str) -> Figure:
    return lambda run: run.methods[method].calibration_error


def group_cells(runs: Sequence[VotingRun]) -> Mapping[tuple[str, str, str], list[VotingRun]]:
    """Return the runs of each stream, ensemble and reviewer, which differ in their seed alone."""
    ordered = sorted(runs, key=lambda run: (run.cell, run.seed))
    return {cell: list(group) for cell, group in groupby(ordered, key=lambda run: run.cell)}


def interval(samples: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean, and its 95 % interval by Student's t; None for a single sample."""
    mean = float(np.mean(samples))
    if len(samples) < 2:
        return mean, None
    half = float(student.ppf(0.975, len(samples) - 1) * np.std(samples, ddof=1) / np.sqrt(len(samples)))
    return mean, (mean - half, mean + half)


def _mean(
    name: str, runs: Sequence[VotingRun], figure: Figure, at_least: float | None = None, at_most: float | None = None
) -> Measure:
    """A figure's mean over cells, for each seed; the interval is over the seeds."""
    seeds = sorted({run.seed for run in runs})
    samples = [float(np.mean([figure(run) for run in runs if run.seed == seed])) for seed in seeds]
    return _judge(name, samples, at_least, at_most)


def _worst(name: str, runs: Sequence[VotingRun], figure: Figure, at_least: float) -> Measure:
    """A figure's mean over seeds in the cell where it is least, of those that surely miss the target if one does."""
    cells = [_judge(name, samples, at_least, None) for samples in _list_cells(runs, figure)]
    missed = [one for one in cells if one.ok is False]
    return min(missed or cells, key=lambda one: one.value or 0.0, default=_judge(name, [], at_least, None))


def _largest(name: str, runs: Sequence[VotingRun], figure: Figure, at_most: float) -> Measure:
    cells = [_judge(name, samples, None, at_most) for samples in _list_cells(runs, figure)]
    missed = [one for one in cells if one.ok is False]
    return max(missed or cells, key=lambda one: one.value or 0.0, default=_judge(name, [], None, at_most))


def _list_cells(runs: Sequence[VotingRun], figure: Figure) -> list[list[float]]:
    return [[figure(run) for run in group] for group in group_cells(runs).values()]


def _judge(name: str, samples: Sequence[float], at_least: float | None, at_most: float | None) -> Measure:
    target = at_least if at_most is None else at_most
    unit = "points" if "points" in name else "share"
    if not samples:
        return Measure(name=name, value=None, interval=None, target=target, ok=None, unit=unit)
    value, around = interval(samples)
    ok = None
    if target is not None and around is not None:
        ok = around[1] >= target if at_most is None else around[0] <= target
    return Measure(name=name, value=value, interval=around, target=target, ok=ok, unit=unit)
