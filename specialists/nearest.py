# scikit-learn has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Which rows that are decided already resemble rows that are not, so that they can be shown as examples."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

from specialists.arrays import Floats, Integers

NEAR = 0.05
"""An example must add as much cosine similarity to the rows of a request, in sum."""


class TextIndex:
    """Decided texts, to be compared with others: cosine similarity of tf-idf weights of character n-grams in words."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index the `texts` (n_texts,), at least one; their n-grams say which ones are rare."""
        grams = HashingVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 4),
            n_features=2**18,
            alternate_sign=False,
            norm=None,  # pyright: ignore[reportArgumentType] (what its documentation allows)
        )
        self._pipeline = make_pipeline(grams, TfidfTransformer(sublinear_tf=True))
        self._vectors = self._pipeline.fit_transform(texts)

    def compare(self, texts: Sequence[str]) -> Floats:
        """Return the similarity (n_rows, n_texts), from 0 to 1, of each of the given texts (n_rows,) to those here."""
        return np.asarray((self._pipeline.transform(texts) @ self._vectors.T).todense(), dtype=np.float64)


def choose_examples(similarity: Floats, group: Integers, most: int) -> Integers:
    """Return the places of at most `most` texts that show rows what they resemble, of all groups in turn.

    `similarity` (n_rows, n_texts) is that of the rows to the texts, and `group` (n_texts,) the label of each text.
    The groups take turns, the nearest one first; each gives the text that adds most to how near its texts come to the
    rows altogether, so that no row has all the examples. A group whose texts would add less than NEAR gives none.
    Of texts that are alike the first is taken.
    """
    covered = {int(one): np.zeros(len(similarity)) for one in np.unique(group)}
    chosen: list[int] = []
    while covered and len(chosen) < most:
        best = {one: _find_best(similarity, group == one, near, chosen) for one, near in covered.items()}
        covered = {one: covered[one] for one, (_, gain) in best.items() if gain >= NEAR}
        for one in sorted(covered, key=lambda one: -best[one][1])[: most - len(chosen)]:
            place = best[one][0]
            chosen.append(place)
            covered[one] = np.maximum(covered[one], similarity[:, place])
    return np.array(chosen, dtype=np.int64)


def _find_best(
    similarity: Floats, members: np.ndarray[tuple[int], np.dtype[np.bool_]], near: Floats, chosen: Sequence[int]
) -> tuple[int, float]:
    """Return the text of a group that adds most to how near the group comes to the rows, and how much it adds."""
    gains = np.maximum(similarity - near[:, None], 0).sum(axis=0)
    gains[~members] = -1.0
    gains[list(chosen)] = -1.0
    return int(gains.argmax()), float(gains.max())
