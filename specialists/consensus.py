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
) -> Floats:
    """Return label probabilities (n_review, n_labels) from the rows of consensus and the vote together.

    `features` (n_rows, n_features) and `labels` (n_rows,) are the rows of consensus; `review_features`
    (n_review, n_features) and `review_vote` (n_review, n_labels), the specialists' mean probabilities, are of the rows
    to predict. A logistic regression on the consensus is one opinion, the vote another: the result is their normalised
    geometric mean. The regression alone was right less often than the vote on rows that specialists dispute
    (docs/decisions.md). A label that no row of consensus has gets the lowest probability.
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
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=1000))
    model.fit(features, labels)
    probs = np.zeros((len(review_features), n_labels))
    probs[:, known] = model.predict_proba(review_features)
    joint = np.sqrt((probs + LEAST_PROBABILITY) * (review_vote + LEAST_PROBABILITY))
    return joint / joint.sum(axis=1, keepdims=True)
