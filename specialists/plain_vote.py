"""The votes that learn from no answer, by their names."""

from typing import Literal

import numpy as np

from specialists.arrays import Floats
from specialists.dawid_skene import fit_dawid_skene
from specialists.label_space import ONE_LABEL, LabelSpace, fill_unknown, split_label
from specialists.vote import VoteResult, take_majority, take_soft_vote

Method = Literal["calibrated", "soft", "majority", "dawid_skene"]
"""As `--vote` names them; the calibrated vote, with nothing to learn from, is the soft one."""


def vote_plainly(probs: Floats, weights: Floats, method: Method, space: LabelSpace = ONE_LABEL) -> VoteResult:
    """Return the vote of specialists' probabilities (n_specialists, n_rows, n_labels).

    `weights` (n_specialists,) say what each counts in the soft vote; the others count heads, or find out by themselves.
    In a set each label is voted on by itself; a label of which a specialist says nothing (NaN) is the others' affair.
    """
    if space.several:
        return _vote_on_sets(fill_unknown(probs), weights, method, space)
    return _vote_on_labels(probs, weights, method)


def _vote_on_sets(probs: Floats, weights: Floats, method: Method, space: LabelSpace) -> VoteResult:
    votes = [_vote_on_labels(split_label(probs, label), weights, method) for label in range(probs.shape[2])]
    mean = np.column_stack([one.mean[:, 1] for one in votes])
    label = space.pick(np.column_stack([one.label for one in votes]).astype(np.float64))
    agreement = (space.pick(probs) == label).mean(axis=0)
    return VoteResult(label=label, mean=mean, confidence=space.rate(mean, label), agreement=agreement)


def _vote_on_labels(probs: Floats, weights: Floats, method: Method) -> VoteResult:
    if method in ("calibrated", "soft"):
        return take_soft_vote(probs, weights)
    own, n_labels = probs.argmax(axis=2), probs.shape[2]
    if method == "majority":
        label = take_majority(own, n_labels)
        mean: Floats = np.stack([(own == one).mean(axis=0) for one in range(n_labels)], axis=1)
    else:
        mean = fit_dawid_skene(own, n_labels).weigh(own)
        label = mean.argmax(axis=1).astype(np.int64)
    confidence = mean[np.arange(len(label)), label]
    return VoteResult(label=label, mean=mean, confidence=confidence, agreement=(own == label).mean(axis=0))
