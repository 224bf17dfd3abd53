"""Reviewers that answer from gold labels, and err as a language model does: mostly on rows that are hard to people too.

`answer_rows` is the whole reviewer. The server that plays it (`simulated_llm.py`) looks a request's rows up and sends
what stands here; nothing else decides an answer. The answer depends on the normalised
text, the reviewer and the seed alone, so the same text always gets the same one.
"""

import hashlib
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from bench.streams import Stream
from hub.starter.split import normalise_text
from specialists.arrays import Floats, Integers

SLOPE = 3.0
"""How much the log-odds of an error grow from the easiest row to the hardest: for a reviewer of 0.85 from 3 % errors to
39 %."""

NEXT_SHARE = 0.8
"""The labels are ordered: of the wrong answers at either end so many fall on the neighbour, the rest further off."""

BIAS = 0.3
"""The biased reviewer says its favourite on so many of the other labels' rows, and errs on few of its favourite's."""
BIAS_MISSED = 0.05


@dataclass(frozen=True)
class Reviewer:
    """A reviewer: its `accuracy`, or the label that it is `biased_to`. `sure` reviewers say how sure they are."""

    name: str
    accuracy: float = 0.0
    biased_to: int | None = None
    sure: bool = False


REVIEWERS = (
    Reviewer("0.65", 0.65),
    Reviewer("0.75", 0.75),
    Reviewer("0.85", 0.85),
    Reviewer("0.95", 0.95),
    Reviewer("biased", biased_to=0),
    Reviewer("0.85 sure", 0.85, sure=True),
)


@dataclass(frozen=True)
class Answers:
    """What a reviewer says of every row, were it asked: `label` (n_rows,), and `sureness` (n_rows,) in (0, 1), too high
    as models' own figures are; NaN where it does not say."""

    label: Integers
    sureness: Floats


def answer_rows(reviewer: Reviewer, stream: Stream, seed: int) -> Answers:
    """Return the answers for all rows of a stream.

    The chance of an error is logistic in the row's hardness, its level set so that the mean over the stream is that of
    the reviewer (for the biased one: within the favourite label, and within the others).
    """
    error = _spread_errors(reviewer, stream)
    draws = np.array([_draw(f"{reviewer.name}|{seed}", text) for text in stream.texts])
    wrong = draws[:, 0] < error
    label = np.where(wrong, _choose_wrong(reviewer, stream, draws[:, 1]), stream.gold)
    if not reviewer.sure:
        return Answers(label, np.full(len(label), np.nan))
    noise = logit(np.clip(draws[:, 2], 1e-3, 1 - 1e-3)) / 1.8
    return Answers(label, expit(1.5 + 0.7 * (noise - logit(error))))


def _spread_errors(reviewer: Reviewer, stream: Stream) -> Floats:
    """Return the probability (n_rows,) that the reviewer's answer is wrong."""
    if reviewer.biased_to is None:
        return _fit_level(stream.hardness, 1.0 - reviewer.accuracy)
    own = stream.gold == reviewer.biased_to
    error = np.empty(len(own))
    error[own] = _fit_level(stream.hardness[own], BIAS_MISSED)
    error[~own] = _fit_level(stream.hardness[~own], BIAS)
    return error


def _fit_level(hardness: Floats, mean: float) -> Floats:
    level = cast(float, brentq(lambda one: float(expit(one + SLOPE * hardness).mean()) - mean, -20.0, 20.0))
    return expit(level + SLOPE * hardness)


def _choose_wrong(reviewer: Reviewer, stream: Stream, draw: Floats) -> Integers:
    """Return the wrong label that a row would get (n_rows,)."""
    gold, last = stream.gold, len(stream.labels) - 1
    if reviewer.biased_to is not None:
        neighbour = np.where(gold == last, last - 1, gold + 1)
        return np.where(gold == reviewer.biased_to, neighbour, reviewer.biased_to)
    step = np.where(draw < 0.5, -1, 1)
    inner = gold + step
    far = draw >= NEXT_SHARE
    low = np.where(far, min(2, last), 1)
    high = np.where(far, max(last - 2, 0), last - 1)
    return np.where(gold == 0, low, np.where(gold == last, high, inner)).astype(np.int64)


def _draw(salt: str, text: str) -> tuple[float, float, float]:
    """Return three numbers in (0, 1) that depend on the salt and the normalised text alone."""
    digest = hashlib.sha256(f"{salt}|{normalise_text(text)}".encode()).digest()
    numbers = [int.from_bytes(digest[8 * k : 8 * k + 8], "big") for k in range(3)]
    first, second, third = ((number + 0.5) / 2**64 for number in numbers)
    return first, second, third
