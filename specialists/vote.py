"""The vote: one label a row from the specialists' probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from specialists.arrays import Booleans, Floats, Integers


@dataclass(frozen=True)
class VoteResult:
    """The outcome of a vote over n_rows rows.

    `label` (n_rows,): code of the winning label, or set of labels. `confidence` (n_rows,): its mean probability, not
    yet calibrated. `agreement` (n_rows,): the share of specialists whose own label it is. `mean` (n_rows, n_labels):
    the specialists' mean probabilities.
    """

    label: Integers
    mean: Floats
    confidence: Floats
    agreement: Floats

    @property
    def unanimous(self) -> Booleans:
        """(n_rows,): whether every specialist gives the winning label."""
        return self.agreement >= 1.0


def take_soft_vote(probs: Floats, weights: Floats | None = None) -> VoteResult:
    """Return the label with the highest mean probability; a tie goes to the label that stands first.

    `probs` (n_specialists, n_rows, n_labels) holds each specialist's probabilities over the task's labels, `weights`
    (n_specialists,) what each one's vote counts (None: all the same). The soft vote is the paper's (arXiv 2506.16393)
    and the usual one for classifiers that give probabilities.
    """
    mean = np.average(probs, axis=0, weights=weights)
    label = mean.argmax(axis=1).astype(np.int64)
    own = probs.argmax(axis=2)
    return VoteResult(
        label=label,
        mean=mean,
        confidence=mean[np.arange(len(label)), label],
        agreement=(own == label).mean(axis=0),
    )


def take_majority(votes: npt.NDArray[np.integer], n_labels: int) -> Integers:
    """Return the label (n_rows,) that most specialists give; a tie goes to the label that stands first.

    `votes` (n_specialists, n_rows) are label indices.
    """
    most, label = (votes == 0).sum(axis=0, dtype=np.int16), np.zeros(votes.shape[1], dtype=np.int64)
    for other in range(1, n_labels):
        count = (votes == other).sum(axis=0, dtype=np.int16)
        label[count > most] = other
        np.maximum(most, count, out=most)
    return label
