# SciPy has no types: what it returns is unknown here.
# pyright: reportMissingTypeStubs=false
"""Label maps: what a model's classes mean, found on the probe and held against what its names and card say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import bdtr

from records.candidate import MapVerdict
from specialists.arrays import Floats, Integers
from specialists.label_pairs import SURE, judge_pairs, measure_pairs
from specialists.probe import LEAST_PROBE_ROWS, Estimate, estimate_mean

ClassMap = Mapping[int, str | None]
"""Class index → task label, or None for a class that no label is known for."""

CLASS_MARGIN = 0.10
"""A class is read otherwise than proposed only where the other label has at least this much more of its use, each
label counted as equally common: 55 % against 45 % where two labels share it. What a difference must be to be more
than noise is SURE's affair."""

LEFT_OUT_MARGIN = 0.50
"""The same for a class that a map of two labels or more leaves out, beside a class of that label's own: a "neutral" in
a task without it leans to one side, and is no more of that side for it. 75 % against 25 %."""

MOST_ROWS = 0.5
"""A class whose proposed label the probe lacks is read as another label where it takes more than this share of that
label's rows, and so more than all that label's own classes together."""

LEAST_LABEL_ROWS = 5
"""A label with fewer rows in the probe says nothing about any class."""

CONTRADICTED = 0.05
"""Rows that cannot judge a map contradict it where one that guesses would seldom be right on so few: on 1 of 8, say."""


@dataclass(frozen=True)
class _Usage:
    """How the classes are used on the probe. `rates[label][class]`: the share of the label's rows on which the class
    is the likeliest, for the labels that have enough rows."""

    rates: Mapping[str, Sequence[Estimate]]

    def rank(self, index: int) -> list[str]:
        """Return the labels by how often the class is given on their rows, most often first."""
        return sorted(self.rates, key=lambda label: -self.rates[label][index].value)

    def favours(self, index: int, label: str, rival: str, margin: float) -> bool:
        """Return whether the class clearly belongs to `label` rather than `rival`: by `margin` of all its use."""
        one, other = self.rates[label][index], self.rates[rival][index]
        whole = sum(rates[index].value for rates in self.rates.values())
        difference = one.value - other.value
        return difference >= margin * whole and difference > SURE * float(np.hypot(one.error, other.error))


def can_judge(truth: Integers) -> bool:
    """Return whether rows with these labels (n_rows,), indices, can judge a map: LEAST_PROBE_ROWS of them, and
    LEAST_LABEL_ROWS of each of two labels."""
    return len(truth) >= LEAST_PROBE_ROWS and int(np.sum(np.bincount(truth) >= LEAST_LABEL_ROWS)) >= 2


def find_contradiction(class_probs: Floats, truth: Integers, classes: ClassMap, labels: Sequence[str]) -> str | None:
    """Return in words how rows that cannot judge a map contradict it, or None.

    `class_probs` (n_rows, n_classes); `truth` (n_rows,) indices of `labels`. Rows of a label that the map does not
    cover say nothing of it. A one-sided binomial test against guessing among the covered labels, at CONTRADICTED.
    """
    covered = [label for label in labels if label in classes.values()]
    rows = np.isin(truth, [labels.index(label) for label in covered])
    own = read_classes(class_probs[rows], classes, labels).argmax(axis=1)
    right, total = int(np.sum(own == truth[rows])), int(rows.sum())
    if total == 0 or float(bdtr(right, total, 1 / len(covered))) >= CONTRADICTED:
        return None
    return f"only {right} of {total} rows get the label that is expected of them"


def read_classes(class_probs: Floats, classes: ClassMap, labels: Sequence[str]) -> Floats:
    """Return label probabilities (n_rows, n_labels) as the annotation scripts read them.

    `class_probs` (n_rows, n_classes). A label's probability is the sum over its classes, renormalised over the classes
    that have a label; where these got nothing, or none has a label, the answer is even over what is covered.
    """
    membership = np.array([[float(classes.get(c) == label) for label in labels] for c in range(class_probs.shape[1])])
    mapped = class_probs @ membership
    total = mapped.sum(axis=1, keepdims=True)
    covered = membership.any(axis=0).astype(np.float64) if membership.any() else np.ones(len(labels))
    read: Floats = np.tile(covered / covered.sum(), (len(mapped), 1))
    sure = total[:, 0] > 1e-6
    read[sure] = mapped[sure] / total[sure]
    return read


def verify_map(
    class_probs: Floats,
    truth: Integers,
    weights: Floats,
    *,
    proposed: ClassMap,
    labels: Sequence[str],
    class_names: Sequence[str],
    correcting: bool = True,
) -> MapVerdict:
    """Judge what a model's classes are read as by rows whose labels are known.

    `class_probs` (n_rows, n_classes), the model's own probabilities (a model with one logit comes as two columns);
    `truth` (n_rows,) indices of `labels`; `weights` (n_rows,) 1 / inclusion probability; `proposed`: the reading by
    names and card, where a class that is absent counts as None; `class_names` (n_classes,) for the reason. Without
    `correcting`, a class that nothing is known of stays so.

    A class keeps its proposed label unless another clearly has more of its use (CLASS_MARGIN, SURE), and keeps None
    unless one label clearly has more of it than the next (by LEFT_OUT_MARGIN where a map of two labels leaves it out
    and the label has a class already); once a stated reading is found wrong, those that are not the
    likeliest count as None. Use is the share of each label's rows on which the class is
    the likeliest, so that a common label gets no classes by being common. A class of a label that the probe has too
    few rows of keeps it unless it takes most rows of another label (MOST_ROWS).

    Then, for every pair of labels that the map covers and the probe has LEAST_LABEL_ROWS rows of, swapping the two must
    cost at least MARGIN, and surely more than nothing. A pair of which a label has fewer than LEAST_PROBE_ROWS rows
    may stay open where the true margin may yet be enough, as long as no more pairs are open than hold: among many
    labels some pair looks bad by chance. With fewer than LEAST_PROBE_ROWS rows, or no pair to test, the proposed map
    is "untested": it stands if it covers two labels and the rows that there are do not contradict it.
    """
    whole = {c: proposed.get(c) for c in range(len(class_names))}
    shown = [label for k, label in enumerate(labels) if np.sum(truth == k) >= LEAST_LABEL_ROWS]
    contradiction = find_contradiction(class_probs, truth, whole, labels)
    if not can_judge(truth):
        why = f"{len(truth)} rows with {len(shown)} labels often enough cannot judge it"
        return let_stand(whole, why, contradiction)
    usage = _measure_usage(class_probs, truth, weights, labels, shown)
    found = _find_map(usage, whole)
    if not correcting:
        found |= {c: None for c, label in whole.items() if label is None}
    covered = [label for label in labels if label in found.values()]
    unseen = [label for label in covered if label not in shown]
    tested = [label for label in covered if label in shown]
    notes = _explain_changes(usage, whole, found, class_names)
    if unseen:
        notes.append(f"the probe has too few rows of {', '.join(unseen)}, whose classes are read as proposed")
    if len(covered) < 2:
        return refuse_map(
            whole, found, "; ".join([f"{len(covered)} labels have a class of their own, not two", *notes])
        )
    if len(tested) < 2 and found == whole:
        why = "; ".join(["the probe has no two of its labels often enough to judge it", *notes])
        return let_stand(whole, why, contradiction)
    if len(tested) < 2:
        return refuse_map(
            whole, found, "; ".join([*notes, "the probe has no two of its labels often enough to judge that"])
        )
    pairs = measure_pairs(read_classes(class_probs, found, labels), truth, weights, labels, tested)
    good, why, margin = judge_pairs(pairs)
    status = "unverified" if not good else "verified" if found == whole else "corrected"
    return MapVerdict(status=status, proposed=whole, found=found, margin=margin, reason="; ".join([*notes, why]))


class Verify(Protocol):
    """What judges a map by rows whose labels are known: `verify_map`, or that for sets of labels."""

    def __call__(
        self,
        class_probs: Floats,
        truth: Integers,
        weights: Floats,
        *,
        proposed: ClassMap,
        labels: Sequence[str],
        class_names: Sequence[str],
        correcting: bool = True,
    ) -> MapVerdict: ...


def verify_map_by_consensus(
    class_probs: Floats,
    consensus: Integers | None,
    weights: Floats,
    *,
    by_names: ClassMap | None,
    by_card: ClassMap | None,
    labels: Sequence[str],
    class_names: Sequence[str],
    verify: Verify = verify_map,
) -> MapVerdict:
    """Judge a map where the rows' labels are no more than the candidates' own consensus: never "corrected".

    Arrays as in `verify_map`; `consensus` is the vote of the other candidates, None where none of them has one: then
    no map is more than "untested". `by_names` and `by_card` are the
    two readings; None, or None for a class, is no statement. The map is verified only where the readings agree on
    every class that both speak of, at least one speaks, and the rows do not contradict it. Of a class that neither
    speaks of the rows say nothing. `verify` holds the rows against it.
    """
    names, card = by_names or {}, by_card or {}
    joint = {c: names.get(c) or card.get(c) for c in range(len(class_names))}
    clash = [c for c in joint if names.get(c) and card.get(c) and names.get(c) != card.get(c)]
    if not any(joint.values()):
        return refuse_map(joint, joint, "neither its label names nor its card say what its classes mean")
    if clash:
        words = [f"{class_names[c]} is {names[c]} by its name and {card[c]} by the card" for c in clash]
        return refuse_map(joint, joint, "; ".join(words))
    if consensus is None:
        return let_stand(joint, "no other model has a vote to hold it against")
    verdict = verify(
        class_probs,
        consensus,
        weights,
        proposed=joint,
        labels=labels,
        class_names=class_names,
        correcting=False,
    )
    if verdict.status == "corrected":
        reason = f"its label names and card disagree with the others' consensus: {verdict.reason}"
        return refuse_map(joint, verdict.found, reason, verdict.margin)
    return verdict


def _measure_usage(
    class_probs: Floats, truth: Integers, weights: Floats, labels: Sequence[str], shown: Sequence[str]
) -> _Usage:
    given = class_probs.argmax(axis=1)
    rates: dict[str, list[Estimate]] = {}
    for label in shown:
        rows = truth == labels.index(label)
        rates[label] = [estimate_mean(given[rows] == c, weights[rows]) for c in range(class_probs.shape[1])]
    return _Usage(rates)


def _find_map(usage: _Usage, proposed: ClassMap) -> dict[int, str | None]:
    """Return the best map. A source that is wrong about one class is not believed about another where the rows lean
    against it: such a class counts as one that nothing is known of."""
    found = _correct_map(usage, proposed)
    if all(proposed[c] is None or found[c] == proposed[c] for c in proposed):
        return found
    doubted = [c for c in proposed if proposed[c] in usage.rates and proposed[c] != usage.rank(c)[0]]
    return _correct_map(usage, {**proposed, **dict.fromkeys(doubted)})


def _correct_map(usage: _Usage, proposed: ClassMap) -> dict[int, str | None]:
    """Return the map with every class that the rows clearly read otherwise."""
    found, read = dict(proposed), {label for label in proposed.values() if label is not None}
    for c, now in proposed.items():
        best, second, *_ = usage.rank(c)
        unseen = now is not None and now not in usage.rates
        rival = second if now is None or unseen else now
        takes_most = usage.rates[best][c].value > MOST_ROWS
        left_out = now is None and len(read) > 1 and best in read
        margin = LEFT_OUT_MARGIN if left_out else CLASS_MARGIN
        if now != best and (takes_most or not unseen) and usage.favours(c, best, rival, margin):
            found[c] = best
    return found


def _explain_changes(usage: _Usage, proposed: ClassMap, found: ClassMap, class_names: Sequence[str]) -> list[str]:
    """Return in words each class that is read otherwise than proposed."""
    words: list[str] = []
    for c in (c for c in proposed if found[c] != proposed[c]):
        said = "nothing says what it means" if proposed[c] is None else f"it was read as {proposed[c]}"
        shares = [f"{usage.rates[label][c].value:.0%} of the rows of {label}" for label in usage.rank(c)[:2]]
        words.append(f"{class_names[c]} is {found[c] or 'unclear'}: it is given on {' and '.join(shares)}, and {said}")
    return words


def let_stand(proposed: dict[int, str | None], why: str, contradiction: str | None = None) -> MapVerdict:
    """Return the verdict on a map that the probe cannot judge: it stands where it reads two labels and no rows
    contradict it."""
    if len({label for label in proposed.values() if label is not None}) < 2:
        return refuse_map(proposed, proposed, f"nothing says what two of its classes mean, and {why}")
    if contradiction:
        return refuse_map(proposed, proposed, f"{contradiction}; {why}")
    return MapVerdict(
        status="untested", proposed=proposed, found=proposed, margin=0.0, reason=f"stands as proposed: {why}"
    )


def refuse_map(
    proposed: dict[int, str | None], found: dict[int, str | None], reason: str, margin: float = 0.0
) -> MapVerdict:
    """Return the verdict on a map that is not believed."""
    return MapVerdict(status="unverified", proposed=proposed, found=found, margin=margin, reason=reason)
