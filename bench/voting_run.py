"""One run of every method on one stream with one reviewer and one seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.outputs import Outputs
from bench.reviewers import Answers
from bench.streams import Stream
from specialists.arrays import Booleans, Floats, Integers
from specialists.calibrated_vote import (
    FittedVote,
    ReviewedRows,
    VoteModel,
    apply_vote,
    fit_vote,
    value_reviews,
)
from specialists.combination import NOT_ASKED
from specialists.dawid_skene import fit_dawid_skene
from specialists.review_value import choose_reviews
from specialists.vote import take_majority, take_soft_vote

PROBE_SHARE, MOST_PROBE = 0.02, 100
"""Rows drawn uniformly and reviewed first, as an audition's probe is: this share, at most so many. They count as
reviews."""
BATCH_SHARE = 0.1
"""Of all rows so many are reviewed between two fits, at most; the first batches are no larger than what taught them."""
SPOT_SHARE = 0.05
"""Of a batch so many are drawn uniformly from the rows that nobody chose."""
_TIE = 1e-6


@dataclass(frozen=True)
class Labelled:
    """What a method made of a stream: `label`, `confidence` (n_rows,), and how many rows were reviewed.

    `steps`: the rows (n_asked,) of every step of reviews; () where all were chosen at once or none were.
    """

    label: Integers
    confidence: Floats
    reviewed: int
    steps: tuple[Integers, ...] = ()


@dataclass(frozen=True)
class Rival:
    """The paper's rule on one stream: `votes` (n_specialists, n_rows), its majority, the rows that it reviews."""

    votes: Integers
    majority: Integers
    disputed: Booleans


def hold_rule(outputs: Outputs) -> Rival:
    """Return the paper's rule: rows on which the specialists disagree are reviewed."""
    votes = outputs.probs.argmax(axis=2).astype(np.int64)
    return Rival(votes, take_majority(votes, outputs.probs.shape[2]), (votes != votes[0]).any(axis=0))


def label_plainly(stream: Stream, outputs: Outputs, answers: Answers, rival: Rival, seed: int) -> dict[str, Labelled]:
    """Return what the baselines make of a stream, by their names. `best_single` and both perfect choices see the
    gold."""
    rows, n_labels = len(stream.gold), len(stream.labels)
    everywhere = np.arange(rows)
    soft = take_soft_vote(outputs.probs)
    counted = (rival.votes == rival.majority).mean(axis=0)
    latent = fit_dawid_skene(rival.votes, n_labels).weigh(rival.votes)
    best = int((rival.votes == stream.gold).mean(axis=1).argmax())
    said = np.where(np.isfinite(answers.sureness), answers.sureness, 1.0)
    most = int(rival.disputed.sum())
    wrong, right = rival.majority != stream.gold, answers.label == stream.gold
    chance = np.random.default_rng(seed).random(rows)
    choices = {
        "paper_rule": rival.disputed,
        "perfect_choice": _mark(np.lexsort((chance, ~wrong))[:most], rows),
        "perfect_choice_ceiling": _mark(np.lexsort((chance, ~right, ~wrong))[:most], rows),
    }
    return {
        "best_single": Labelled(rival.votes[best], outputs.probs[best].max(axis=1), 0),
        "majority": Labelled(rival.majority, counted, 0),
        "soft_vote": Labelled(soft.label, soft.confidence, 0),
        "dawid_skene": Labelled(latent.argmax(axis=1), latent.max(axis=1), 0),
        "reviewer_alone": Labelled(answers.label, said[everywhere], rows),
        **{
            name: Labelled(
                np.where(chosen, answers.label, rival.majority), np.where(chosen, said, counted), int(chosen.sum())
            )
            for name, chosen in choices.items()
        },
    }


def _mark(chosen: Integers, rows: int) -> Booleans:
    marked = np.zeros(rows, dtype=np.bool_)
    marked[chosen] = True
    return marked


def run_stages(
    stream: Stream,
    outputs: Outputs,
    answers: Answers,
    *,
    stops: tuple[int, ...],
    seed: int,
    gold: Integers | None = None,
) -> Iterator[Labelled]:
    """Yield the labels after every batch of reviews, until the last of `stops`: numbers of reviewed rows that a batch
    ends at. `gold`: rows whose truth is known from the start; the reviewer is asked about them first, which tells how
    good it is."""
    state = _Stages(stream, outputs, answers, np.random.default_rng(seed))
    state.start(np.zeros(0, dtype=np.int64) if gold is None else gold)
    while True:
        fitted = state.fit()
        probs = apply_vote(fitted.model, outputs.probs, outputs.states)
        probs[state.asked] = fitted.after
        done = int(state.asked.sum())
        yield Labelled(probs.argmax(axis=1), probs.max(axis=1), done, tuple(state.steps))
        later = [stop for stop in stops if stop > done]
        if not later:
            return
        state.choose(fitted.model, probs, min(later[0] - done, max(int(BATCH_SHARE * len(probs)), 1), done))


class _Stages:
    """What is known so far: `asked`, `inclusion` and `truth` (n_rows,), and the rows of each step of reviews."""

    def __init__(self, stream: Stream, outputs: Outputs, answers: Answers, rng: np.random.Generator) -> None:
        rows = len(stream.gold)
        self.stream, self.outputs, self.answers, self.rng = stream, outputs, answers, rng
        self.asked, self.inclusion = np.zeros(rows, dtype=np.bool_), np.ones(rows)
        self.truth = np.full(rows, NOT_ASKED, dtype=np.int64)
        self.steps: list[Integers] = []

    def start(self, gold: Integers) -> None:
        """Ask about the gold rows, and about a probe where they are fewer."""
        rows = len(self.asked)
        self.truth[gold] = self.stream.gold[gold]
        self.asked[gold], self.inclusion[gold] = True, max(len(gold), 1) / rows
        probe = max(min(int(PROBE_SHARE * rows), MOST_PROBE) - len(gold), 0)
        drawn = self.rng.permutation(np.flatnonzero(~self.asked))[:probe]
        self.asked[drawn], self.inclusion[drawn] = True, max(len(drawn), 1) / rows
        self.steps.append(np.flatnonzero(self.asked))

    def fit(self) -> FittedVote:
        """Fit the vote to what was reviewed."""
        asked, outputs = self.asked, self.outputs
        return fit_vote(
            ReviewedRows(
                probs=outputs.probs[:, asked],
                states=outputs.states[asked],
                answers=self.answers.label[asked],
                truth=self.truth[asked],
                sureness=self.answers.sureness[asked],
                inclusion=self.inclusion[asked],
            )
        )

    def choose(self, model: VoteModel, probs: Floats, size: int) -> None:
        """Ask about the `size` rows of the next batch: those worth most, and a few at random."""
        value = value_reviews(model, self.outputs.probs, self.outputs.states) + _TIE * (1.0 - probs.max(axis=1))
        before, spots = self.asked.copy(), int(SPOT_SHARE * size)
        self.asked[choose_reviews(value, np.ones(len(value)), ~self.asked, size - spots)] = True
        left = np.flatnonzero(~self.asked)
        drawn = self.rng.choice(left, min(spots, len(left)), replace=False)
        self.asked[drawn], self.inclusion[drawn] = True, max(len(drawn), 1) / max(len(left), 1)
        self.steps.append(np.flatnonzero(self.asked & ~before))
