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
"""Rows drawn uniformly and reviewed first, as an audition's probe is: this share, at most so many. They count as reviews."""
BATCH_SHARE = 0.1
"""Of all rows so many are reviewed between two fits, at most; the first batches are no larger than what taught them."""
SPOT_SHARE = 0.05
"""Of a batch so many are drawn uniformly from the rows that nobody chose."""
_TIE = 1e-6


@dataclass(frozen=True)
class Labelled:
    """What a method made of a stream: `label`, `confidence` (n_rows,), and how many rows were reviewed."""

    label: Integers
    confidence: Floats
    reviewed: int


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
    """Return what the baselines make of a stream, by their names. `best_single` and both perfect choices see the gold."""
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
    stops: tuple[int, ...],
    seed: int,
    gold: Integers | None = None,
) -> Iterator[Labelled]:
    """Yield the labels after every batch of reviews, until the last of `stops`: numbers of reviewed rows that a batch ends
    at. `gold`: rows whose truth is known from the start; they are not reviewed."""
    rows = len(stream.gold)
    rng = np.random.default_rng(seed)
    embedded = outputs.states
    asked, inclusion = np.zeros(rows, dtype=np.bool_), np.ones(rows)
    truth = np.full(rows, NOT_ASKED, dtype=np.int64)
    if gold is not None:
        truth[gold] = stream.gold[gold]
        inclusion[gold] = len(gold) / rows
        asked[gold] = True  # shown to the reviewer too: that tells how good it is
    probe = min(int(PROBE_SHARE * rows), MOST_PROBE)
    first = rng.permutation(np.flatnonzero(~asked))[: max(probe - int(asked.sum()), 0)]
    asked[first], inclusion[first] = True, max(len(first), 1) / rows
    while True:
        fitted = _fit(outputs, embedded, answers, asked, truth, inclusion)
        probs = apply_vote(fitted.model, outputs.probs, embedded)
        probs[asked] = fitted.after
        yield Labelled(probs.argmax(axis=1), probs.max(axis=1), int(asked.sum()))
        done = int(asked.sum())
        later = [stop for stop in stops if stop > done]
        if not later:
            return
        size = min(later[0] - done, max(int(BATCH_SHARE * rows), 1), done)
        _choose(fitted.model, outputs, embedded, probs, asked, inclusion, size, rng)


def _fit(
    outputs: Outputs,
    embedded: np.ndarray,
    answers: Answers,
    asked: Booleans,
    truth: Integers,
    inclusion: Floats,
) -> FittedVote:
    return fit_vote(
        ReviewedRows(
            probs=outputs.probs[:, asked],
            states=embedded[asked],
            answers=answers.label[asked],
            truth=truth[asked],
            sureness=answers.sureness[asked],
            inclusion=inclusion[asked],
        )
    )


def _choose(
    model: VoteModel,
    outputs: Outputs,
    embedded: np.ndarray,
    probs: Floats,
    asked: Booleans,
    inclusion: Floats,
    size: int,
    rng: np.random.Generator,
) -> None:
    """Mark the rows of the next batch in `asked`, and how they came to be chosen in `inclusion`, in place."""
    value = value_reviews(model, outputs.probs, embedded) + _TIE * (1.0 - probs.max(axis=1))
    spots = int(SPOT_SHARE * size)
    chosen = choose_reviews(value, np.ones(len(value)), ~asked, size - spots)
    asked[chosen] = True
    left = np.flatnonzero(~asked)
    drawn = rng.choice(left, min(spots, len(left)), replace=False)
    asked[drawn] = True
    inclusion[drawn] = len(drawn) / max(len(left), 1)
