"""The calibrated vote over answers of either kind: one label, or a set of labels with a vote of its own for each.

An opinion is what the specialists and the head say of a row, for every vote the pooled probabilities and then the
head's scores: from it alone a row is decided, and a later answer to it weighed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from records.base import Record
from specialists.arrays import Floats, Integers
from specialists.calibrated_vote import ReviewedRows, VoteModel, fit_vote, score_rows
from specialists.combination import Combination, centre_sureness
from specialists.combination_record import CombinationRecord, record_combination, restore_combination
from specialists.embedding import Matrix
from specialists.label_space import LabelSpace, split_label
from specialists.multi_label import ReviewedSets, fit_sets
from specialists.review_value import expect_removed_errors


@dataclass(frozen=True)
class Weighing:
    """What decides rows by opinions (n_rows, n_columns) and answers. `combinations`: one, or one a label of a set, with
    the labels' `thresholds` (n_labels,). `sureness_middle` as in VoteModel."""

    space: LabelSpace
    combinations: tuple[Combination, ...]
    sureness_middle: float
    thresholds: Floats | None = None

    def predict(self, opinion: Floats) -> Floats:
        """Return the labels' probabilities (n_rows, n_labels) of rows that nobody reviewed."""
        return self._join([one.predict(vote, scores) for one, vote, scores in self._split(opinion)])

    def weigh_answers(self, opinion: Floats, answers: Integers, sureness: Floats) -> Floats:
        """Return the labels' probabilities (n_rows, n_labels) after the reviewer's answers (n_rows,), codes or
        NOT_ASKED, given with `sureness` (n_rows,) in (0, 1), NaN where the reviewer does not say."""
        sure = centre_sureness(sureness, self.sureness_middle)
        parts = zip(self._split(opinion), self._split_answers(answers), strict=True)
        return self._join([one.weigh_answers(vote, scores, said, sure) for (one, vote, scores), said in parts])

    def pick(self, probs: Floats) -> Integers:
        """Return the answers (n_rows,) that the labels' probabilities (n_rows, n_labels) come to."""
        return self.space.pick(probs, self.thresholds)

    def expect_gains(self, opinion: Floats) -> Floats:
        """Return for each row (n_rows,) the errors that a review is expected to remove.

        A review answers for all labels of a set at once, so theirs add up. What a threshold t says is that a label
        wrongly left out costs (1 - t) / t times as much as one wrongly given (Elkan 2001): errors count at these
        prices.
        """
        joints = [one.expect_answers(vote, scores) for one, vote, scores in self._split(opinion)]
        if self.thresholds is None:
            return expect_removed_errors(joints[0])
        prices = 2.0 * np.stack([self.thresholds, 1.0 - self.thresholds], axis=1)
        return np.sum(
            [expect_removed_errors(joint * one[:, None]) for joint, one in zip(joints, prices, strict=True)], axis=0
        )

    def expect_differences(self, opinion: Floats) -> Floats:
        """Return for each row (n_rows,) the probability that the reviewer, asked, gives another answer than the
        vote's."""
        if self.thresholds is None:
            return np.concatenate([one.expect_differences(vote, scores) for one, vote, scores in self._split(opinion)])
        same: Floats = np.ones(len(opinion))
        for (one, vote, scores), threshold in zip(self._split(opinion), self.thresholds, strict=True):
            joint = one.expect_answers(vote, scores)
            given = (joint[:, 1].sum(axis=1) >= threshold).astype(np.int64)
            same *= joint.sum(axis=1)[np.arange(len(joint)), given]
        return 1.0 - same

    def _split(self, opinion: Floats) -> list[tuple[Combination, Floats, Floats]]:
        parts = np.split(opinion, len(self.combinations), axis=1)
        halves = [np.split(part, 2, axis=1) for part in parts]
        return [(one, vote, scores) for one, (vote, scores) in zip(self.combinations, halves, strict=True)]

    def _split_answers(self, answers: Integers) -> list[Integers]:
        if self.thresholds is None:
            return [answers]
        return list(self.space.indicate(answers, len(self.thresholds)).T)

    def _join(self, parts: list[Floats]) -> Floats:
        return parts[0] if self.thresholds is None else np.column_stack([part[:, 1] for part in parts])


@dataclass(frozen=True)
class FittedWeighing:
    """What was fitted to reviewed rows, and of these the labels' probabilities (n_rows, n_labels) out of fold before
    the reviewer's answer and after it."""

    weighing: Weighing
    votes: tuple[VoteModel, ...]
    before: Floats
    after: Floats

    def form_opinion(self, probs: Floats, states: Floats | Matrix | None) -> Floats:
        """Return the opinions (n_rows, n_columns) of rows that did not teach the vote; `probs` (n_specialists, n_rows,
        n_labels), `states` (n_rows, n_coordinates) or None."""
        shown = [probs]
        if self.weighing.space.several:
            shown = [split_label(probs, label) for label in range(probs.shape[2])]
        parts = [(one.pool(own), score_rows(one, own, states)) for one, own in zip(self.votes, shown, strict=True)]
        return np.concatenate([column for part in parts for column in part], axis=1)


def fit_weighing(rows: ReviewedRows, space: LabelSpace) -> FittedWeighing:
    """Fit the vote to the reviewed rows, whose `answers` and `truth` are codes."""
    if not space.several:
        fitted = fit_vote(rows)
        weighing = Weighing(space, (fitted.model.combination,), fitted.model.sureness_middle)
        return FittedWeighing(weighing, (fitted.model,), fitted.before, fitted.after)
    n_labels = rows.probs.shape[2]
    sets = ReviewedSets(
        probs=rows.probs,
        states=rows.states,
        answers=space.indicate(rows.answers, n_labels),
        truth=space.indicate(rows.truth, n_labels),
        sureness=rows.sureness,
        inclusion=rows.inclusion,
    )
    found = fit_sets(sets)
    votes = tuple(model.vote for model in found.models)
    thresholds = np.array([model.threshold for model in found.models])
    weighing = Weighing(space, tuple(one.combination for one in votes), votes[0].sureness_middle, thresholds)
    return FittedWeighing(weighing, votes, found.before, found.after)


class WeighingRecord(Record):
    """`Weighing` in plain numbers: a run keeps it with the stage that it decided."""

    combinations: tuple[CombinationRecord, ...]
    sureness_middle: float
    thresholds: tuple[float, ...] | None = None


def record_weighing(fitted: FittedWeighing, names: Sequence[str]) -> WeighingRecord:
    """Return the record of what was fitted, over the specialists of these names."""
    space, given = fitted.weighing.space, fitted.weighing.thresholds
    return WeighingRecord(
        combinations=tuple(
            record_combination(vote, names, own) for vote, own in zip(fitted.votes, _name_votes(space), strict=True)
        ),
        sureness_middle=fitted.weighing.sureness_middle,
        thresholds=None if given is None else tuple(given.tolist()),
    )


def _name_votes(space: LabelSpace) -> list[tuple[str, ...]]:
    """Return what each vote is between: all labels, or of a set each label and its absence."""
    return [(f"not {label}", label) for label in space.labels] if space.several else [space.labels]


def restore_weighing(record: WeighingRecord, space: LabelSpace) -> Weighing:
    """Return the weighing of a record: it decides as the one that was recorded."""
    thresholds = None if record.thresholds is None else np.array(record.thresholds)
    combinations = tuple(map(restore_combination, record.combinations))
    return Weighing(space, combinations, record.sureness_middle, thresholds)
