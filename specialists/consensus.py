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


class TooLittleConsensusError(ValueError):
    """The rows of consensus are too few, or all of one label."""


def predict_from_consensus(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    review_features: npt.NDArray[np.float32],
    n_labels: int,
) -> Floats:
    """Return label probabilities (n_review, n_labels) from a logistic regression on the rows of consensus.

    `features` (n_rows, n_features) and `labels` (n_rows,) are the rows of consensus, `review_features`
    (n_review, n_features) those to predict. A label that no row of consensus has gets probability 0.
    Raises TooLittleConsensusError with fewer than LEAST_ROWS rows or with one label only.
    """
    known = np.unique(labels)
    if len(labels) < LEAST_ROWS or len(known) < 2:
        raise TooLittleConsensusError(
            f"{len(labels)} rows of consensus with {len(known)} of {n_labels} labels; "
            f"at least {LEAST_ROWS} rows and 2 labels are needed"
        )
    # Hidden states are wide and the rows few: the strong penalty keeps the classifier near the class means.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    model.fit(features, labels)
    probs = np.zeros((len(review_features), n_labels))
    probs[:, known] = model.predict_proba(review_features)
    return probs
