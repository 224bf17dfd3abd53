"""Examples for a reviewer: the decided rows that resemble those it is asked about."""

from collections.abc import Sequence

import numpy as np

from agents.base import KnownRow, ReviewRow
from records.review_book import key_of_text
from specialists.nearest import TextIndex, choose_examples

EXAMPLES = 8
"""At most so many in a request."""
COMPARED = 2000
"""Characters of a text that are compared."""


class ExampleFinder:
    """Finds examples among the known rows, but for those whose text is among the rows `besides`."""

    def __init__(self, known: Sequence[KnownRow], *, besides: Sequence[ReviewRow]) -> None:
        asked = {key_of_text(row.text, row.text_pair) for row in besides}
        self._known = [one for one in known if key_of_text(one.text, one.text_pair) not in asked]
        groups: dict[tuple[str, ...], int] = {}
        self._group = np.array([groups.setdefault(one.labels, len(groups)) for one in self._known], dtype=np.int64)
        self._index = TextIndex([_join(one) for one in self._known]) if self._known else None

    def choose(self, rows: Sequence[ReviewRow]) -> list[KnownRow]:
        """Return at most EXAMPLES known rows, of all labels in turn where some are near; none where none is known."""
        if self._index is None:
            return []
        similarity = self._index.compare([_join(row) for row in rows])
        return [self._known[place] for place in choose_examples(similarity, self._group, EXAMPLES)]


def _join(row: KnownRow | ReviewRow) -> str:
    return "\n".join(text[:COMPARED] for text in (row.text, row.text_pair) if text is not None)
