# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""What reviewing a file will take, told from a pilot: rows of it on which the specialists have voted already."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from records.outcome import Span
from specialists.arrays import Floats, Integers
from specialists.audit_planning import START, forecast_audit
from specialists.certificate import count_allowed, size_sample
from specialists.review_value import count_until

LEVEL = 0.9
"""Of the ranges: one run in twenty is expected below its range, and one above it, by the draw of the pilot alone."""

RESAMPLES = 200
"""Bootstrap samples of the pilot. The ends of a range at LEVEL are good to a few percent of its width with so many, and
the audit of a large file is planned anew for each."""


@dataclass(frozen=True)
class PilotRows:
    """The rows of a pilot, a uniform sample of the file, arrays (n_pilot,). `value`: the need of a review, as the rule
    that chooses them counts it; `differs`: the probability that the expert's answer is another than the vote's. Under a
    target the value is how much of that probability a review is expected to remove."""

    value: Floats
    differs: Floats


@dataclass(frozen=True)
class AuditTerms:
    """How the labels will be audited: for a `target` share with an `error` probability, or, where it is None, by a
    sample of fixed size. `known_rate`: the share of the reviewed rows whose label differs from the answer."""

    target: float | None
    error: float
    known_rate: float


@dataclass(frozen=True)
class ReviewPlan:
    """What is known beforehand: the `rows` that have a text, `reviewed` of them already; a row is reviewed where its
    value is at least `worth`, or, where the stages have a `target`, the rows of the greatest value until the others
    are estimated to meet it; at most `most` rows in all; `spot_checks` rows are reviewed beside; `audit` is None where
    there is nobody to ask."""

    rows: int
    reviewed: int
    worth: float
    most: int
    spot_checks: int
    audit: AuditTerms | None
    target: float | None = None


@dataclass(frozen=True)
class ReviewForecast:
    """Rows to be reviewed from here on, by the reason why, and all of them. `certifiable` is False where more reviewed
    rows are expected to differ than the target allows."""

    risk: Span
    spot_checks: Span
    audit: Span
    total: Span
    certifiable: bool = True


def forecast_reviews(pilot: PilotRows, plan: ReviewPlan, seed: int) -> ReviewForecast:
    """Return how many rows will be reviewed, with ranges.

    Without a target all hangs on one share, that of the rows worth a review, and the range is that of Clopper and
    Pearson (1934) for it. Under a target it hangs on all risks, and the range is a percentile bootstrap's (Efron and
    Tibshirani 1993) over the pilot's rows. Either tells of the draw of the pilot, and nothing of what the vote will
    learn. Raises ValueError where rows are to be forecast and the pilot has none.
    """
    if plan.rows == 0:
        nothing = Span(expected=0, low=0, high=0)
        return ReviewForecast(nothing, nothing, nothing, nothing)
    if len(pilot.value) == 0:
        raise ValueError(f"a pilot without a row tells nothing of {plan.rows} rows")
    share = _find_share(pilot, plan)
    expected, certifiable = _count_rows(pilot, plan, share)
    if plan.target is None and (plan.audit is None or plan.audit.target is None):
        others = np.stack([_count_rows(pilot, plan, one)[0] for one in bound_share(share, len(pilot.value))])
        low, high = others.min(axis=0), others.max(axis=0)
    else:
        others = _resample(pilot, plan, seed)
        low, high = np.quantile(others, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0], axis=0)
    low, high = np.minimum(low, expected), np.maximum(high, expected)
    ends = zip(expected.tolist(), low.tolist(), high.tolist(), strict=True)
    risk, spot_checks, audit, total = (Span(expected=middle, low=least, high=most) for middle, least, most in ends)
    return ReviewForecast(risk, spot_checks, audit, total, certifiable)


def bound_share(share: float, rows: int) -> tuple[float, float]:
    """Return the two-sided interval of Clopper and Pearson at LEVEL for a share that was found on so many rows."""
    found, tail = round(share * rows), (1.0 - LEVEL) / 2.0
    low = 0.0 if found == 0 else float(beta.ppf(tail, found, rows - found + 1))
    high = 1.0 if found == rows else float(beta.ppf(1.0 - tail, found + 1, rows - found))
    return low, high


def _find_share(pilot: PilotRows, plan: ReviewPlan) -> float:
    """Return the share of the rows to be reviewed for risk, as far as there may be so many."""
    if plan.target is None:
        return float((pilot.value >= plan.worth).mean())
    left = plan.rows - plan.reviewed
    order = np.argsort(-pilot.value, kind="stable")
    removed, differs = _stretch(pilot.value[order], left), _stretch(pilot.differs[order], left)
    known = 0 if plan.audit is None else round(plan.audit.known_rate * plan.reviewed)
    wanted = count_until(removed, float(differs.sum()), max(count_allowed(plan.rows, plan.target) - known, 0))
    return (wanted if plan.audit is None else int(START * wanted)) / max(left, 1)


def _stretch(ordered: Floats, rows: int) -> Floats:
    """Return the figures of so many rows, of which those of a pilot are an ordered sample."""
    return ordered[np.arange(rows) * len(ordered) // max(rows, 1)]


def _count_rows(pilot: PilotRows, plan: ReviewPlan, share: float) -> tuple[Integers, bool]:
    """Return the rows reviewed for risk, in spot checks, in the audit, and in all, where `share` of the rows are worth
    a review; and whether the audit can certify."""
    left = plan.rows - plan.reviewed
    risk = max(min(round(share * left), plan.most), 0)
    spot_checks = min(plan.spot_checks, left - risk)
    unreviewed = left - risk - spot_checks
    audit, certifiable = _count_audited(pilot, plan, unreviewed, risk / max(left, 1))
    return np.array([risk, spot_checks, audit, risk + spot_checks + audit], dtype=np.int64), certifiable


def _count_audited(pilot: PilotRows, plan: ReviewPlan, unreviewed: int, reviewed_share: float) -> tuple[int, bool]:
    terms = plan.audit
    if terms is None or unreviewed == 0:
        return 0, True
    if terms.target is None:
        return size_sample(plan.rows, unreviewed), True
    order = np.argsort(-pilot.value, kind="stable")
    first = min(round(reviewed_share * len(order)), len(order) - 1)
    rest = np.sort(pilot.differs[order[first:]])[::-1]
    known = round(terms.known_rate * (plan.rows - unreviewed))
    allowed = count_allowed(plan.rows, terms.target)
    forecast = forecast_audit(_stretch(rest, unreviewed), allowed=allowed, known=known, error=terms.error)
    return (0, False) if forecast is None else (forecast.reviews, True)


def _resample(pilot: PilotRows, plan: ReviewPlan, seed: int) -> Integers:
    """Return the counts of `_count_rows` (RESAMPLES, 4) on bootstrap samples of the pilot."""
    generator, n_rows = np.random.default_rng(seed), len(pilot.value)
    counts: list[Integers] = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(n_rows, size=n_rows)
        sample = PilotRows(pilot.value[drawn], pilot.differs[drawn])
        counts.append(_count_rows(sample, plan, _find_share(sample, plan))[0])
    return np.stack(counts)
