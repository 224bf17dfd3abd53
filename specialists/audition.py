"""The audition: which candidates may vote and what their votes count, judged on a probe of the task's own rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from records.candidate import MapVerdict
from specialists.arrays import Booleans, Floats, Integers
from specialists.label_space import ONE_LABEL, LabelSpace
from specialists.probe import LEAST_PROBE_ROWS, Estimate, estimate_mean

ONE_SIDED = 1.645
"""Standard errors that an accuracy must lie above chance: one-sided 95 %."""

SHRINK_ROWS = 10.0
"""Rows at chance that are added to an accuracy before it becomes a weight: a perfect record on 10 rows counts as
half way between chance and perfect, one on 200 rows as 95 % of the way."""

LEAST_WEIGHT = 0.05
"""No model that passed is silenced by its weight."""


@dataclass(frozen=True)
class AuditionScore:
    """One candidate on the probe, every figure weighted for how the rows were drawn.

    `accuracy`: balanced over the labels of the truth, with its standard error `accuracy_error`; `agreement`: balanced
    agreement with the others' vote, 1 for a candidate alone; `label_shares` (n_labels,): how often it gives each label;
    `weight`: what its vote counts beside others' (see `weigh_accuracy`), 0 where it did not pass.
    """

    accuracy: float
    accuracy_error: float
    agreement: float
    label_shares: Floats
    weight: float
    passed: bool
    reason: str


def take_votes_of_others(probs: Floats, voting: Booleans, space: LabelSpace = ONE_LABEL) -> Integers:
    """Return, for every candidate, the soft vote of all the others (n_candidates, n_rows), as codes.

    `probs` (n_candidates, n_rows, n_labels), NaN where one says nothing of a label; `voting` (n_candidates,) marks
    those that have a vote. A candidate without others that vote gets its own labels.
    """
    known = ~np.isnan(probs) & voting[:, None, None]
    shown = np.where(known, probs, 0.0)
    others = np.maximum(known.sum(axis=0) - known, 1)
    votes = space.pick((shown.sum(axis=0) - shown) / others)
    alone = voting.sum() - voting == 0
    votes[alone] = space.pick(probs[alone])
    return votes


def score_candidates(
    probs: Floats,
    truth: Integers | None,
    weights: Floats,
    maps: Sequence[MapVerdict],
    space: LabelSpace = ONE_LABEL,
) -> tuple[AuditionScore, ...]:
    """Score every candidate on the rows of the probe that have a truth.

    `probs` (n_candidates, n_rows, n_labels), by the maps as they were found; `truth` (n_rows,) codes, or None
    where there is nothing better than the candidates' consensus: each is then held against the others' vote, in which
    it has no part itself. `weights` (n_rows,): 1 / inclusion probability. `maps`: the n_candidates' verdicts.

    A candidate is dropped whose map is unverified, or whose balanced accuracy is not above chance (1 / number of
    labels in the truth, at most 1/2; 1/2 for sets of labels) by ONE_SIDED standard errors. Fewer than LEAST_PROBE_ROWS
    rows prove nothing. Candidates with an unverified map have no part in the others' vote. Against consensus, a
    candidate with no other to be held against passes.
    """
    verified = np.array([verdict.status != "unverified" for verdict in maps])
    own, others = space.pick(probs), take_votes_of_others(probs, verified, space)
    ways = space.count_ways(probs.shape[2])
    scores: list[AuditionScore] = []
    for k, verdict in enumerate(maps):
        target = others[k] if truth is None else truth
        accuracy, given = space.judge(own[k], target, weights), space.indicate(own[k], probs.shape[2])
        unopposed = truth is None and verified.sum() == verified[k]
        verb = "agrees with the others" if truth is None else "is right"
        passed, reason = _judge(accuracy, len(target), space.find_chance(target), verdict, verb)
        if unopposed and verdict.status != "unverified":
            passed, reason = True, "has nobody to be held against"
        scores.append(
            AuditionScore(
                accuracy=accuracy.value,
                accuracy_error=accuracy.error,
                agreement=space.judge(own[k], others[k], weights).value,
                label_shares=np.array([estimate_mean(column, weights).value for column in given.T]),
                weight=float(weigh_accuracy(np.array([accuracy.value]), len(target), ways)[0]) * passed,
                passed=passed,
                reason=reason,
            )
        )
    return tuple(scores)


def weigh_accuracy(accuracy: Floats, rows: int, n_labels: int) -> Floats:
    """Return what votes count (n,), for balanced `accuracy` (n,) measured on `rows` rows: at least LEAST_WEIGHT.

    The log-odds of being right, log((L - 1) p / (1 - p)): the best weights of independent voters who are right with
    probability p and err evenly (Nitzan and Paroush 1982; for L labels, Zhu, Zou, Rosset and Hastie 2009). p is
    drawn to chance by SHRINK_ROWS rows, so that no weight is infinite and few rows make no great differences.
    """
    shrunk = (accuracy * rows + SHRINK_ROWS / n_labels) / (rows + SHRINK_ROWS)
    return np.maximum(np.log((n_labels - 1) * shrunk / (1 - shrunk)), LEAST_WEIGHT)


def _judge(accuracy: Estimate, rows: int, chance: float, verdict: MapVerdict, verb: str) -> tuple[bool, str]:
    """Return whether a candidate passes, and why, in words that follow "it"."""
    if verdict.status == "unverified":
        return False, f"has a label map that is unverified: {verdict.reason}"
    if rows < LEAST_PROBE_ROWS:
        return True, f"cannot be judged by {rows} rows"
    found = f"{verb} on {accuracy.value:.0%} ± {accuracy.error:.0%} of the rows (balanced)"
    if accuracy.value - ONE_SIDED * accuracy.error <= chance:
        return False, f"{found}, no better than chance ({chance:.0%})"
    return True, found
