# scikit-learn has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Which rows that are decided already resemble rows that are not, so that they can be shown as examples."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

from specialists.arrays import Floats, Integers

NEAR = 0.1
"""The cosine similarity to a row from which on a text is an example for it; most texts about other things have less."""


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
    Only texts that are NEAR to a row are chosen. The groups take turns, the nearest one first; each gives the text
    with the greatest gain, the sum over rows of the growth of √(similarity to what the group gave so far): what
    resembles a row that has examples already counts for less, so that each row has its own. Of equals the first is
    taken.
    """
    near = similarity.max(axis=0, initial=0.0) >= NEAR
    left = {int(one): np.flatnonzero(near & (group == one)) for one in np.unique(group[near])}
    given = {one: np.zeros(len(similarity)) for one in left}
    chosen: list[int] = []
    while left and len(chosen) < most:
        best = {one: _find_best(similarity[:, places], given[one]) for one, places in left.items()}
        for one in sorted(best, key=lambda one: -best[one][1])[: most - len(chosen)]:
            place = int(left[one][best[one][0]])
            chosen.append(place)
            given[one] += similarity[:, place]
            left[one] = left[one][left[one] != place]
        left = {one: places for one, places in left.items() if len(places)}
    return np.array(chosen, dtype=np.int64)


def _find_best(similarity: Floats, given: Floats) -> tuple[int, float]:
    """Return the text with the greatest gain, and its gain, for rows (n_rows,) that resemble what they were given."""
    gains = (np.sqrt(given[:, None] + similarity) - np.sqrt(given)[:, None]).sum(axis=0)
    return int(gains.argmax()), float(gains.max())
