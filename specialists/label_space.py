"""What is said of a text as a number, its code, so that one path serves tasks with one label a text and tasks with any
number of them.

One label: the code is the label's place. A set of labels: the sum of 2^place over its labels, a label powerset
(Tsoumakas and Katakis 2007), so that two sets are the same where their codes are.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from records.rows import Answer
from records.task import CANNOT_TELL, TaskSpec
from specialists.arrays import Floats, Integers
from specialists.combination import NOT_ASKED
from specialists.probe import Estimate, estimate_accuracy, estimate_balanced_accuracy

PLAIN_THRESHOLD = 0.5
MOST_SET_LABELS = 62
"""Labels of a task with sets of them: so many bits does a code have."""


@dataclass(frozen=True)
class LabelSpace(ABC):
    """The answers that a task allows. `labels` may be empty where nothing is encoded or decoded."""

    labels: tuple[str, ...] = ()
    several: ClassVar[bool] = False
    """Whether an answer is a set."""

    @abstractmethod
    def encode(self, answer: str | Sequence[str] | None) -> int:
        """Return the code of an answer, NOT_ASKED for none, or one that it cannot tell. Raises ValueError for a label
        that the task does not have."""

    @abstractmethod
    def decode(self, code: int) -> Answer:
        """Return the answer of a code."""

    @abstractmethod
    def pick(self, probs: Floats, thresholds: Floats | None = None) -> Integers:
        """Return the codes (…,) of what probabilities (…, n_labels) say; a set has the labels from their `thresholds`
        (n_labels,) on, from PLAIN_THRESHOLD where there are none."""

    @abstractmethod
    def rate(self, probs: Floats, codes: Integers) -> Floats:
        """Return how probable answers (n_rows,) are by the labels' probabilities (n_rows, n_labels)."""

    @abstractmethod
    def indicate(self, codes: Integers, n_labels: int) -> Integers:
        """Return 1 where an answer has a label, else 0 (n_rows, n_labels); NOT_ASKED in the whole row of such a
        code."""

    @abstractmethod
    def compare(self, own: Integers, truth: Integers) -> Floats:
        """Return how right each answer is (n_rows,), from 0 to 1."""

    @abstractmethod
    def judge(self, own: Integers, truth: Integers, weights: Floats) -> Estimate:
        """Return the balanced accuracy of answers (n_rows,), which rare labels count in as much as common ones."""

    @abstractmethod
    def find_chance(self, truth: Integers) -> float:
        """Return the balanced accuracy of a guess."""

    @abstractmethod
    def count_ways(self, n_labels: int) -> int:
        """Return between how many ways each decision is."""

    @abstractmethod
    def resemble(self, own: Integers, other: Integers, weights: Floats) -> float:
        """Return how alike the answers (n_rows,) of two models are, from 0 to 1."""

    @abstractmethod
    def mark_unknown(self, probs: Floats, covered: Collection[str]) -> Floats:
        """Return a model's probabilities (n_rows, n_labels), NaN where it says nothing of a label."""

    @abstractmethod
    def restrict(self, codes: Integers, covered: Collection[str]) -> Integers:
        """Return what of answers (n_rows,) a model can say that knows the `covered` labels."""

    def encode_all(self, answers: Sequence[str | Sequence[str] | None]) -> Integers:
        """Return the codes (n_rows,) of answers."""
        return np.array([self.encode(one) for one in answers], dtype=np.int64)

    def _find_place(self, label: str) -> int:
        if label not in self.labels:
            raise ValueError(f"{label!r} is no label of the task: they are {', '.join(self.labels)}")
        return self.labels.index(label)


@dataclass(frozen=True)
class OneLabel(LabelSpace):
    """Each text has exactly one label."""

    def encode(self, answer: str | Sequence[str] | None) -> int:
        if answer is None or answer == CANNOT_TELL:
            return NOT_ASKED
        return self._find_place(str(answer))

    def decode(self, code: int) -> Answer:
        return self.labels[code]

    def pick(self, probs: Floats, thresholds: Floats | None = None) -> Integers:
        """The likeliest label; of equal ones the first."""
        return probs.argmax(axis=-1).astype(np.int64)

    def rate(self, probs: Floats, codes: Integers) -> Floats:
        return probs[np.arange(len(codes)), codes]

    def indicate(self, codes: Integers, n_labels: int) -> Integers:
        given = (codes[:, None] == np.arange(n_labels)).astype(np.int64)
        return np.where(codes[:, None] == NOT_ASKED, NOT_ASKED, given)

    def compare(self, own: Integers, truth: Integers) -> Floats:
        return (own == truth).astype(np.float64)

    def judge(self, own: Integers, truth: Integers, weights: Floats) -> Estimate:
        return estimate_balanced_accuracy(own, truth, weights)

    def find_chance(self, truth: Integers) -> float:
        return 1.0 / max(len(np.unique(truth)), 2)

    def count_ways(self, n_labels: int) -> int:
        return n_labels

    def resemble(self, own: Integers, other: Integers, weights: Floats) -> float:
        return estimate_accuracy(own, other, weights).value

    def mark_unknown(self, probs: Floats, covered: Collection[str]) -> Floats:
        return probs

    def restrict(self, codes: Integers, covered: Collection[str]) -> Integers:
        return codes


@dataclass(frozen=True)
class LabelSets(LabelSpace):
    """Each text has any number of labels, also none."""

    several = True

    def encode(self, answer: str | Sequence[str] | None) -> int:
        if answer is None or CANNOT_TELL in answer:
            return NOT_ASKED
        return sum(1 << self._find_place(label) for label in set(answer))

    def decode(self, code: int) -> Answer:
        return tuple(label for place, label in enumerate(self.labels) if code >> place & 1)

    def pick(self, probs: Floats, thresholds: Floats | None = None) -> Integers:
        given = probs >= (PLAIN_THRESHOLD if thresholds is None else thresholds)
        return given @ (1 << np.arange(probs.shape[-1], dtype=np.int64))

    def rate(self, probs: Floats, codes: Integers) -> Floats:
        """The labels are taken as independent of each other given the text."""
        given = self.indicate(codes, probs.shape[1]) == 1
        return np.where(given, probs, 1.0 - probs).prod(axis=1)

    def indicate(self, codes: Integers, n_labels: int) -> Integers:
        given = codes[:, None] >> np.arange(n_labels) & 1
        return np.where(codes[:, None] == NOT_ASKED, NOT_ASKED, given)

    def compare(self, own: Integers, truth: Integers) -> Floats:
        """Example-based F1 (Godbole and Sarawagi 2004): 1 where neither has a label."""
        given, had = self._indicate(own), self._indicate(truth)
        sizes = (given + had).sum(axis=1)
        return np.where(sizes == 0, 1.0, 2.0 * (given * had).sum(axis=1) / np.maximum(sizes, 1))

    def judge(self, own: Integers, truth: Integers, weights: Floats) -> Estimate:
        """The mean over the labels (macro-averaged) that some rows of `truth` have and others have not."""
        given, had = self._indicate(own), self._indicate(truth)
        told = [place for place in range(len(self.labels)) if 0 < had[:, place].sum() < len(had)]
        parts = [estimate_balanced_accuracy(given[:, one], had[:, one], weights) for one in told]
        if not parts:
            return Estimate(0.5, 0.5)
        error = float(np.sqrt(sum(one.error**2 for one in parts))) / len(parts)
        return Estimate(float(np.mean([one.value for one in parts])), error)

    def find_chance(self, truth: Integers) -> float:
        return 0.5

    def count_ways(self, n_labels: int) -> int:
        return 2

    def resemble(self, own: Integers, other: Integers, weights: Floats) -> float:
        """F1 of one's labels against the other's over all rows and labels (micro-averaged): that most rows lack most
        labels is no likeness."""
        given, had = self._indicate(own), self._indicate(other)
        total = float(weights @ (given + had).sum(axis=1))
        return 2.0 * float(weights @ (given * had).sum(axis=1)) / total if total else 0.0

    def mark_unknown(self, probs: Floats, covered: Collection[str]) -> Floats:
        return np.where([label in covered for label in self.labels], probs, np.nan)

    def restrict(self, codes: Integers, covered: Collection[str]) -> Integers:
        return codes & self.encode([label for label in self.labels if label in covered])

    def _indicate(self, codes: Integers) -> Integers:
        return self.indicate(codes, len(self.labels))


ONE_LABEL = OneLabel()
"""For functions over codes alone."""


def make_space(task: TaskSpec) -> LabelSpace:
    """Return the answers that a task allows."""
    return (LabelSets if task.kind == "multi_label" else OneLabel)(task.label_names)


def fill_unknown(probs: Floats) -> Floats:
    """Return specialists' probabilities (n_specialists, n_rows, n_labels) with the mean of the others in place of NaN:
    who says nothing of a label leaves it to them. 0 where nobody says anything."""
    known = ~np.isnan(probs)
    if known.all():
        return probs
    mean = np.where(known, probs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, probs, mean)


def split_label(probs: Floats, label: int) -> Floats:
    """Return the two classes "not" and "has it" of a label (n_specialists, n_rows, 2) from the labels' probabilities
    (n_specialists, n_rows, n_labels)."""
    return np.stack([1.0 - probs[:, :, label], probs[:, :, label]], axis=2)
