"""The ensemble: the candidates whose vote together is the best, and worth what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from specialists.arrays import Booleans, Floats, Integers
from specialists.audition import take_votes_of_others, weigh_accuracy
from specialists.label_space import ONE_LABEL, LabelSpace
from specialists.plain_vote import vote_plainly
from specialists.probe import LEAST_PROBE_ROWS, estimate_mean

COST_OF_TEN = 0.01
"""The accuracy that a tenfold dearer ensemble must gain: one point."""

FOLDS = 5
REPEATS = 5
"""The folds are drawn this many times, since one drawing moves an accuracy on 200 rows by about a point."""

EXHAUSTIVE = 1000
"""Up to so many ensembles each is tried (3 of 16: 560, 5 of 12: 792): within a second on 200 rows."""


@dataclass(frozen=True)
class Ensemble:
    """The chosen candidates. `members`: their positions, the weightiest first; `weights` (n_members,): what their votes
    count, adding up to 1; `accuracy`: that of their vote, cross-validated on the probe (with the consensus, where there
    was no truth); `value`: what they were chosen by; `reason`: in words."""

    members: tuple[int, ...]
    weights: Floats
    accuracy: float
    value: float
    reason: str


def choose_ensemble(
    probs: Floats,
    truth: Integers | None,
    weights: Floats,
    *,
    prices: Floats,
    prior: Floats,
    eligible: Booleans,
    size: int,
    seed: int,
    space: LabelSpace = ONE_LABEL,
) -> Ensemble:
    """Return the best ensemble of `size` candidates, or of all that are eligible where they are fewer.

    `probs` (n_candidates, n_rows, n_labels) by the verified maps, NaN where a candidate says nothing of a label;
    `truth` (n_rows,) codes, None: the consensus;
    `weights` (n_rows,) 1 / inclusion probability; `prices` (n_candidates,) what a row costs, in any unit; `prior`
    (n_candidates,) the selector's scores; `eligible` (n_candidates,): who passed and is no near-copy.

    An ensemble's value is the cross-validated accuracy of its accuracy-weighted soft vote (the weights are those of
    `weigh_accuracy` on the other folds) less COST_OF_TEN for each tenfold of price over the cheapest ensemble of the
    size. The accuracy is plain, not balanced: the run is to get as many rows of this file right as it can, and
    candidates that live by a common label are out already; of sets of labels it is the example-based F1. Equal values
    go to the higher mean prior, then to the order.

    Against the consensus models that are alike look better than they are, and none can look better than the rest for
    being right alone. So there the accuracy is multiplied by the members' mean product of agreement with the others'
    vote and prior: what a model was made for says more than agreement. With fewer than LEAST_PROBE_ROWS rows the
    mean prior stands in the accuracy's place.

    Raises ValueError where nobody is eligible.
    """
    if not eligible.any():
        raise ValueError("no candidate is eligible for the ensemble")
    places = np.flatnonzero(eligible)
    size = min(size, len(places))
    contest = _hold_contest(
        probs[places], truth, weights, prices=prices[places], prior=prior[places], size=size, seed=seed, space=space
    )
    chosen, tried = _search(contest)
    votes = contest.counts[list(chosen)]
    order = np.argsort(-votes, kind="stable")
    accuracy = contest.accuracy_of(chosen)
    return Ensemble(
        members=tuple(int(places[chosen[k]]) for k in order),
        weights=votes[order] / votes.sum(),
        accuracy=accuracy,
        value=contest.value_of(chosen),
        reason=_explain(contest, accuracy, tried),
    )


@dataclass(frozen=True)
class _Contest:
    """What every ensemble of the eligible candidates is measured by.

    `shown` (REPEATS, n, n_rows, n_labels): each candidate's probabilities times what its vote counts on the row, by the
    folds that the row is not in; `counted`, of that shape: what it counts, 0 for a label of which it says nothing;
    `counts` (n,): what the votes count by all rows; `fitness` (n,): what the accuracy is multiplied by, per member;
    `trusted`: whether the rows are enough to measure an accuracy by.
    """

    shown: Floats
    counted: Floats
    target: Integers
    weights: Floats
    counts: Floats
    fitness: Floats
    prior: Floats
    prices: Floats
    size: int
    trusted: bool
    by_consensus: bool
    space: LabelSpace

    def accuracy_of(self, members: Sequence[int]) -> float:
        """Return the cross-validated accuracy of the members' vote."""
        chosen = list(members)
        counted = self.counted[:, chosen].sum(axis=1)
        own = self.space.pick(self.shown[:, chosen].sum(axis=1) / np.where(counted > 0, counted, 1.0))
        right = [self.space.compare(one, self.target) for one in own]
        return float(np.mean([estimate_mean(one, self.weights).value for one in right]))

    def value_of(self, members: Sequence[int]) -> float:
        """Return what an ensemble is chosen by."""
        chosen = list(members)
        worth = self.accuracy_of(chosen) * self.fitness[chosen].mean() if self.trusted else self.prior[chosen].mean()
        cheapest = np.sort(self.prices)[: len(chosen)].sum()
        return float(worth - COST_OF_TEN * np.log10(self.prices[chosen].sum() / cheapest))

    def rank(self, members: Sequence[int]) -> tuple[float, float, tuple[int, ...]]:
        """Return what ensembles are sorted by, the best first. Rounded: equal values differ in the last bits."""
        chosen = tuple(sorted(members))
        return -round(self.value_of(chosen), 9), -round(float(self.prior[list(chosen)].mean()), 9), chosen


def _hold_contest(
    probs: Floats,
    truth: Integers | None,
    weights: Floats,
    *,
    prices: Floats,
    prior: Floats,
    size: int,
    seed: int,
    space: LabelSpace,
) -> _Contest:
    own, rows, known = space.pick(probs), probs.shape[1], ~np.isnan(probs)
    target = vote_plainly(probs, np.ones(len(probs)), "soft", space).label if truth is None else truth
    ways = space.count_ways(probs.shape[2])
    counted = np.empty((REPEATS, *probs.shape))
    for repeat in range(REPEATS):
        folds = draw_folds(target, np.random.default_rng([seed, repeat]))
        for fold in np.unique(folds).tolist():
            held = folds == fold
            counts = _count_votes(own[:, ~held], target[~held], weights[~held], space, ways)
            counted[repeat][:, held] = counts[:, None, None] * known[:, held]
    shown = counted * np.where(known, probs, 0.0)
    fitness = np.ones(len(probs))
    if truth is None:
        others = take_votes_of_others(probs, np.ones(len(probs), dtype=np.bool_), space)
        pairs = zip(own, others, strict=True)
        fitness = prior * np.array([space.judge(one, other, weights).value for one, other in pairs])
    return _Contest(
        shown=shown,
        counted=counted,
        target=target,
        weights=weights,
        counts=_count_votes(own, target, weights, space, ways),
        fitness=fitness,
        prior=prior,
        prices=np.maximum(prices, 1.0),  # a model of unknown size is not free of a logarithm
        size=size,
        trusted=rows >= LEAST_PROBE_ROWS,
        by_consensus=truth is None,
        space=space,
    )


def draw_folds(target: Integers, rng: np.random.Generator) -> Integers:
    """Return each row's fold (n_rows,), from 0 to FOLDS - 1, drawn at random.

    Each label of `target` (n_rows,) is spread evenly over the folds.
    """
    shuffled = rng.permutation(len(target))
    by_label = shuffled[np.argsort(target[shuffled], kind="stable")]
    folds = np.empty(len(target), dtype=np.int64)
    folds[by_label] = np.arange(len(target)) % FOLDS
    return folds


def _count_votes(own: Integers, target: Integers, weights: Floats, space: LabelSpace, ways: int) -> Floats:
    """Return what each candidate's vote counts (n,) by the rows."""
    accuracy = [space.judge(one, target, weights).value for one in own]
    return weigh_accuracy(np.array(accuracy), len(target), ways)


def _search(contest: _Contest) -> tuple[tuple[int, ...], int]:
    """Return the best ensemble and how many were tried: all of them, or where they are too many, those on the way of
    adding the best next member and then exchanging one member at a time as long as that helps."""
    everyone = range(len(contest.prior))
    if comb(len(everyone), contest.size) <= EXHAUSTIVE:
        tried = list(combinations(everyone, contest.size))
        return min(tried, key=contest.rank), len(tried)
    best: tuple[int, ...] = ()
    seen: set[tuple[int, ...]] = set()
    while True:
        kept = [best] if len(best) < contest.size else [best[:k] + best[k + 1 :] for k in range(contest.size)]
        ways = {tuple(sorted((*rest, one))) for rest in kept for one in everyone if one not in rest}
        seen |= ways
        step = min(ways, key=contest.rank)
        if step == best:
            return best, len(seen)
        best = step


def _explain(contest: _Contest, accuracy: float, tried: int) -> str:
    """Return in words why the ensemble was chosen."""
    if not contest.trusted:
        return f"chosen by the selector's score and cost alone: {len(contest.target)} rows cannot judge a vote"
    alone = np.lexsort((-contest.prior, -contest.counts))[: contest.size].tolist()
    words = f"the best of {tried} ensembles of {contest.size}: its vote "
    if contest.by_consensus:
        return f"{words}agrees with the consensus on {accuracy:.1%}, which the selector's scores and cost weigh"
    plain = contest.accuracy_of(alone)
    return f"{words}is right on {accuracy:.1%} (cross-validated), that of the best alone on {plain:.1%}"
