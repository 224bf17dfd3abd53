"""How many reviews a certified target takes, beside the fewest that would do and the fewest that can be promised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bench.measuring import Measure
from bench.rates import SimulatedRun, estimate_mean, estimate_rate
from bench.simulated_runs import CONFIDENCE, TARGET, Labelled, play
from specialists.arrays import Floats
from specialists.audit_planning import choose_start
from specialists.certificate import count_allowed

COST_RUNS = 200
CERTIFIED = 0.95
"""The share of runs that have to be certified within the allowance."""

EXTRA_SHARE, EXTRA_ROWS = 0.25, 300
"""What a certificate may take beyond the fewest reviews: the greater of this share of them and so many rows."""

VOTES = {"easy": (0.8, 2.8), "middle": (1.1, 2.0), "hard": (1.5, 1.8)}
"""Beta distributions of the vote's risk, calibrated: it errs on 22 %, 35 % and 45 % of the rows."""


@dataclass(frozen=True)
class Case:
    """A vote, how often its reviewer is right, and how many rows the stream has."""

    vote: str
    accuracy: float
    rows: int

    @property
    def name(self) -> str:
        """The case in a measure's name."""
        return f"{self.vote}_{round(100 * self.accuracy)}_{self.rows}"

    def draw_risk(self, rng: np.random.Generator) -> Floats:
        """Return each row's chance (rows,) that the vote differs from the reviewer, riskiest first."""
        return np.sort(find_difference_risk(rng.beta(*VOTES[self.vote], self.rows), self.accuracy))[::-1]


def list_cases(*, quick: bool) -> list[Case]:
    """Return what is played: every vote against a reviewer of 0.85 and 0.95."""
    sizes = (3000,) if quick else (3000, 10_000)
    return [Case(vote, accuracy, rows) for vote in VOTES for accuracy in (0.85, 0.95) for rows in sizes]


def find_difference_risk(wrong: Floats, accuracy: float) -> Floats:
    """Return the chance (n_rows,) that a vote that errs with chance `wrong` differs from an expert of that accuracy,
    whose errors fall mostly on the rows that are hard; there are two labels."""
    hard = 0.25 * wrong.mean() + 0.75 * wrong
    errs = np.minimum((1.0 - accuracy) * hard / hard.mean(), 0.5)
    return wrong * (1.0 - errs) + (1.0 - wrong) * errs


def simulate_costs(case: Case, runs: int) -> list[SimulatedRun]:
    """Play runs on streams whose risk is calibrated, and count their reviews from the first on."""
    results: list[SimulatedRun] = []
    for seed in range(runs):
        rng = np.random.default_rng([round(100 * case.accuracy), case.rows, seed])
        risk = case.draw_risk(rng)
        answer = (rng.random(case.rows) < risk).astype(np.int64)
        none = np.zeros(case.rows, dtype=np.int64)
        stream = Labelled(none, answer, none == 0, none > 0, risk, np.arange(case.rows))
        allowed = count_allowed(case.rows, TARGET)
        fewest = int(np.argmax(answer.sum() - np.concatenate([[0], np.cumsum(answer)]) <= allowed))
        start = choose_start(risk, allowed)
        run = play(rng, f"cost_{case.name}", stream.review(np.arange(start)))
        results.append(run.model_copy(update={"reviews": start + run.reviews, "fewest": fewest}))
    return results


def summarise_costs(case: Case, runs: Sequence[SimulatedRun], *, few: bool) -> list[Measure]:
    """Return the share of runs that were certified, and within the allowance; the fewest reviews, what is allowed
    beyond them, what was taken, and what a test on a uniform sample has to take."""
    fewest = np.array([one.fewest for one in runs], dtype=np.float64)
    least = find_least_reviews(case.draw_risk(np.random.default_rng(0)), count_allowed(case.rows, TARGET))
    measures = summarise_extra(case.name, runs, few=few)
    return [*measures, estimate_mean(f"extra_least_{case.name}", least - fewest, "rows")]


def summarise_extra(name: str, runs: Sequence[SimulatedRun], *, few: bool) -> list[Measure]:
    """Return the share of runs that were certified, and within the allowance; the fewest reviews, what is allowed
    beyond them, and what was taken."""
    certified = [one.verdict == "certified" for one in runs]
    fewest = np.array([one.fewest for one in runs], dtype=np.float64)
    extra = np.array([one.reviews for one in runs], dtype=np.float64) - fewest
    allowed = np.maximum(EXTRA_SHARE * fewest, EXTRA_ROWS)
    within = [yes and bool(fits) for yes, fits in zip(certified, extra <= allowed, strict=True)]
    return [
        _judge_rate(f"certified_{name}", certified, few=few),
        _judge_rate(f"within_{name}", within, few=few),
        estimate_mean(f"fewest_{name}", fewest, "rows"),
        estimate_mean(f"allowed_{name}", allowed, "rows"),
        estimate_mean(f"extra_{name}", extra, "rows"),
        _state(f"extra_95_{name}", float(np.quantile(extra, CERTIFIED))),
    ]


def _judge_rate(name: str, hits: Sequence[bool], *, few: bool) -> Measure:
    rate, interval = estimate_rate(hits)
    ok = False if interval[1] < CERTIFIED else None if few else True
    return Measure(name=name, value=rate, interval=interval, target=CERTIFIED, ok=ok, unit="share")


def _state(name: str, value: float) -> Measure:
    return Measure(name=name, value=value, interval=None, target=None, ok=None, unit="rows")


def find_least_reviews(risk: Floats, allowed: int) -> int:
    """Return the fewest reviews with which a test can promise a certificate in 95 % of the runs.

    `risk` (n_rows,): the true chances to differ, riskiest first, known beforehand. The riskiest rows and a uniform
    sample of the others, of a size that was fixed, are reviewed and take the expert's answer, and one amount is tested
    once. No test of the same error on the same sample has more power than the exact one (Neyman and Pearson 1933); here
    by its normal approximation.
    """
    rows = len(risk)
    amounts = np.arange(0, rows, max(rows // 600, 1))
    left, drawn = (rows - amounts)[:, None].astype(np.float64), np.linspace(1.0, rows, 600)
    differing = (risk.sum() - np.concatenate([[0.0], np.cumsum(risk)]))[amounts][:, None]
    share = differing / left
    spread = left * np.sqrt(share * (1.0 - share) * np.maximum(1.0 / drawn - 1.0 / left, 0.0))
    quantile = float(ndtri(CONFIDENCE) + ndtri(CERTIFIED))
    meets = (differing + quantile * spread <= allowed + drawn * share) & (drawn <= left)
    return int(np.where(meets, amounts[:, None] + drawn, np.inf).min())
