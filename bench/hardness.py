# scikit-learn has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""How hard a row is, told by something that no specialist and no method under test has part in.

The corpora's own raters say it: where they gave marks from -4 to 4, by how far their mean is from the cut between the
row's label and the next; where they voted, by how many voted otherwise. The shipped sample has no raters; there it is
the loss of a linear classifier on words, out of fold.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from hub.starter.split import normalise_text
from specialists.arrays import Floats

CUT = 0.5
"""Mean marks above it are positive, below minus it negative (the corpora's own note)."""

_SAFE = {"neither", "no_toxic_span"}


def rate_by_people(row: Mapping[str, Any], marks: Mapping[str, float]) -> float | None:
    """Return how hard a row was to its raters, in any unit; None where nobody rated it.

    `marks`: text → mean mark, for a corpus without raters of its own whose texts were rated elsewhere. There a mean
    against the row's label counts as hardest.
    """
    label = row["label"]
    if "mean_groundtruth" in row:
        mean = float(row["mean_groundtruth"])
        return -{"negative": -CUT - mean, "neutral": CUT - abs(mean), "positive": mean - CUT}[label]
    if "votes" in row:
        votes = json.loads(row["votes"])
        counts = list(votes.items()) if isinstance(votes, dict) else [(vote, 1) for _, vote in votes]
        against = sum(count for vote, count in counts if (vote in _SAFE) != (label in _SAFE))
        return against / sum(count for _, count in counts)
    mean_mark = marks.get(normalise_text(row["text"]))
    return None if mean_mark is None else -mean_mark if label == "positive" else mean_mark


def rate_by_model(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[float]:
    """Return minus the probability that a linear classifier, taught by the other folds, gives each row's own label."""
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10.0))
    texts = [row["text"] for row in rows]
    probs = np.asarray(cross_val_predict(model, texts, list(labels), cv=5, method="predict_proba"))
    own = np.searchsorted(np.unique(labels), labels)
    return (-probs[np.arange(len(rows)), own]).tolist()


def rank_evenly(values: Floats) -> Floats:
    """Return each value's rank (n_rows,) from 0 to 1, equal values the mean of theirs."""
    return (rankdata(values) - 0.5) / len(values)
