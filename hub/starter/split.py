"""Decides which side of the one train / held-out split a text falls on.

Specialists of the starter hub are trained on the `train` side only; everything that is scored
(the cards, the demo, the benchmarks) uses the `held_out` side only. The side depends on the
normalised text and on nothing else, so a text that occurs in two corpora is on the same side in both.
"""

import hashlib
import re
from typing import Literal

Side = Literal["train", "held_out"]

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def normalise_text(text: str) -> str:
    """Return the text in lower case with every run of other characters than letters and digits as one space."""
    return _NOT_ALPHANUMERIC.sub(" ", text.lower()).strip()


def side(text: str) -> Side:
    """Return the side of a text: half of all distinct normalised texts are on each."""
    return "train" if _digest(text)[0] < 128 else "held_out"


def in_validation_slice(text: str) -> bool:
    """Return whether a text of the train side is kept for early choices: a tenth of that side."""
    return side(text) == "train" and _digest(text)[1] < 26


def _digest(text: str) -> bytes:
    return hashlib.sha256(normalise_text(text).encode()).digest()
