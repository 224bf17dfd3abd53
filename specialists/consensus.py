# scikit-learn has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The reviewer without a language model: a classifier taught by the rows on which all specialists agree."""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from specialists.arrays import Floats
from specialists.label_space import LabelSets

LEAST_ROWS = 20
"""With fewer rows of consensus nothing is learned that the vote does not know."""


LEAST_PROBABILITY = 1e-6
"""No label is ruled out."""


class TooLittleConsensusError(ValueError):
    """The rows of consensus are too few, or all of one label."""


def predict_from_consensus(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    review_features: npt.NDArray[np.float32],
    review_vote: Floats,
    *,
    balanced: bool = False,
) -> Floats:
    """Return label probabilities (n_review, n_labels) from the rows of consensus and the vote together.

    `features` (n_rows, n_features) and `labels` (n_rows,) are the rows of consensus; `review_features`
    (n_review, n_features) and `review_vote` (n_review, n_labels), the specialists' mean probabilities, are of the rows
    to predict. A logistic regression on the consensus is one opinion, the vote another: the result is their normalised
    geometric mean. The regression alone was right less often than the vote on rows that specialists dispute
    (docs/decisions.md). `balanced`: labels count alike in the regression, however many rows have them. A label that no
    row of consensus has gets the lowest probability.
    Raises TooLittleConsensusError with fewer than LEAST_ROWS rows or with one label only.
    """
    n_labels = review_vote.shape[1]
    known = np.unique(labels)
    if len(labels) < LEAST_ROWS or len(known) < 2:
        raise TooLittleConsensusError(
            f"{len(labels)} rows of consensus with {len(known)} of {n_labels} labels; "
            f"at least {LEAST_ROWS} rows and 2 labels are needed"
        )
    # Hidden states are wide and the rows few: the strong penalty keeps the classifier near the class means.
    weight = "balanced" if balanced else None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=1000, class_weight=weight))
    model.fit(features, labels)
    probs = np.zeros((len(review_features), n_labels))
    probs[:, known] = model.predict_proba(review_features)
    joint = np.sqrt((probs + LEAST_PROBABILITY) * (review_vote + LEAST_PROBABILITY))
    return joint / joint.sum(axis=1, keepdims=True)


def predict_sets_from_consensus(
    features: npt.NDArray[np.float32],
    sets: npt.NDArray[np.int64],
    agreed: npt.NDArray[np.bool_],
    review_features: npt.NDArray[np.float32],
    review_vote: Floats,
) -> Floats:
    """Return label probabilities (n_review, n_labels) where a text has any number of labels: a classifier for each.

    Arguments as for `predict_from_consensus`, with the codes `sets` (n_rows,) for labels; the consensus on a label are
    the rows on which the specialists agree about it, `agreed` (n_rows, n_labels): rows on which they agree about every
    label are mostly those with few labels. How rare a label is stands in the vote already. Of a label whose classifier
    has nothing to learn from, the vote stands. Raises TooLittleConsensusError where that is so of every label.
    """
    had, probs, why = LabelSets().indicate(sets, review_vote.shape[1]), review_vote.copy(), list[Exception]()
    for label, own in enumerate(had.T):
        rows, vote = agreed[:, label], np.column_stack([1.0 - review_vote[:, label], review_vote[:, label]])
        try:
            both = predict_from_consensus(features[rows], own[rows], review_features, vote, balanced=True)
        except TooLittleConsensusError as error:
            why.append(error)
        else:
            probs[:, label] = both[:, 1]
    if len(why) == review_vote.shape[1]:
        raise TooLittleConsensusError(f"of no label there is enough to learn: {why[0]}")
    return probs
