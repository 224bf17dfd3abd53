# SciPy has no types: what it returns is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""Label maps where a text has any number of labels: each class is held against the label that it is read as, by itself.

How well a class tells a label is its coefficient of discrimination (Tjur 2009): the class's mean probability on the
rows that have the label less that on the rows that have it not, from -1 to 1; whatever the threshold.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import mannwhitneyu

from records.candidate import MapVerdict
from specialists.arrays import Floats, Integers
from specialists.class_maps import (
    CLASS_MARGIN,
    CONTRADICTED,
    LEAST_LABEL_ROWS,
    ClassMap,
    let_stand,
    refuse_map,
)
from specialists.label_pairs import MARGIN, SURE
from specialists.label_space import MOST_SET_LABELS, LabelSets
from specialists.probe import LEAST_PROBE_ROWS, Estimate, estimate_mean

Telling = Mapping[str, Sequence[Estimate]]
"""Label → how well each class tells it, for the labels that enough rows have and enough have not."""


def can_judge_sets(truth: Integers) -> bool:
    """Return whether rows with these sets of labels (n_rows,), codes, can judge a map: LEAST_PROBE_ROWS of them, and
    a label that LEAST_LABEL_ROWS have and as many have not."""
    had = LabelSets().indicate(truth, MOST_SET_LABELS).sum(axis=0)
    return len(truth) >= LEAST_PROBE_ROWS and bool((np.minimum(had, len(truth) - had) >= LEAST_LABEL_ROWS).any())


def contradict_set_map(class_probs: Floats, truth: Integers, classes: ClassMap, labels: Sequence[str]) -> str | None:
    """Return in words how rows that cannot judge a map contradict it, or None.

    `class_probs` (n_rows, n_classes); `truth` (n_rows,) codes. A label that is likelier on rows without it than on rows
    with it: a one-sided test of Mann and Whitney (1947), CONTRADICTED shared over the labels that can be tested.
    """
    had, read = LabelSets().indicate(truth, len(labels)) == 1, read_set_classes(class_probs, classes, labels)
    tested = [
        k for k, label in enumerate(labels) if label in classes.values() and had[:, k].any() and not had[:, k].all()
    ]
    for k in tested:
        with_it, without = read[had[:, k], k], read[~had[:, k], k]
        if float(mannwhitneyu(with_it, without, alternative="less").pvalue) < CONTRADICTED / len(tested):
            return f"{labels[k]} is less likely by it on the rows that have it than on the others"
    return None


def read_set_classes(class_probs: Floats, classes: ClassMap, labels: Sequence[str]) -> Floats:
    """Return label probabilities (n_rows, n_labels) as the annotation scripts read them: the largest of the label's
    classes, NaN where no class stands for it. `class_probs` (n_rows, n_classes)."""
    read = np.full((len(class_probs), len(labels)), np.nan)
    for place, label in enumerate(labels):
        own = [c for c in range(class_probs.shape[1]) if classes.get(c) == label]
        if own:
            read[:, place] = class_probs[:, own].max(axis=1)
    return read


def verify_set_map(
    class_probs: Floats,
    truth: Integers,
    weights: Floats,
    *,
    proposed: ClassMap,
    labels: Sequence[str],
    class_names: Sequence[str],
    correcting: bool = True,
) -> MapVerdict:
    """Judge what a model's classes are read as by rows whose sets of labels are known, codes `truth` (n_rows,); the
    rest as `class_maps.verify_map` has it.

    A class keeps its proposed label unless it tells another one surely better (by CLASS_MARGIN), and is left out where
    it surely tells its own by less than MARGIN; a class without one gets the label that it surely tells best, where no
    class stands for that yet. The map holds where at least as many classes surely tell their label as are open.
    """
    whole = {c: proposed.get(c) for c in range(len(class_names))}
    contradiction = contradict_set_map(class_probs, truth, whole, labels)
    if not can_judge_sets(truth):
        return let_stand(whole, f"{len(truth)} rows have no label often enough to judge it", contradiction)
    telling = _measure(class_probs, truth, weights, labels)
    found = {c: _read_class(c, now, whole, telling, correcting=correcting) for c, now in whole.items()}
    notes = [
        f"{class_names[c]} is {found[c] or 'left out'}, and was read as {now or 'nothing'}"
        for c, now in whole.items()
        if found[c] != now
    ]
    covered = {label for label in found.values() if label is not None}
    if len(covered) < 2:
        return refuse_map(
            whole, found, "; ".join([f"{len(covered)} labels have a class of their own, not two", *notes])
        )
    tested = [telling[label][c] for c, label in found.items() if label is not None and label in telling]
    if not tested:
        return let_stand(whole, "the probe has none of its labels often enough to judge it", contradiction)
    held = sum(_tells(one) for one in tested)
    margin = min(one.value for one in tested)
    why = f"{held} of {len(tested)} classes surely tell their label; the worst by {margin:+.2f}"
    good = 2 * held >= len(tested)
    status = "unverified" if not good else "verified" if found == whole else "corrected"
    return MapVerdict(status=status, proposed=whole, found=found, margin=margin, reason="; ".join([*notes, why]))


def _measure(class_probs: Floats, truth: Integers, weights: Floats, labels: Sequence[str]) -> Telling:
    had = LabelSets().indicate(truth, len(labels)) == 1
    enough = np.minimum(had.sum(axis=0), (~had).sum(axis=0)) >= LEAST_LABEL_ROWS
    telling: dict[str, list[Estimate]] = {}
    for k, label in enumerate(labels):
        if enough[k]:
            rows = had[:, k]
            parts = [
                (estimate_mean(own[rows], weights[rows]), estimate_mean(own[~rows], weights[~rows]))
                for own in class_probs.T
            ]
            telling[label] = [
                Estimate(one.value - other.value, float(np.hypot(one.error, other.error))) for one, other in parts
            ]
    return telling


def _tells(one: Estimate) -> bool:
    return one.value >= MARGIN and one.value > SURE * one.error


def _read_class(c: int, now: str | None, whole: ClassMap, telling: Telling, *, correcting: bool) -> str | None:
    """Return what a class is read as."""
    best = max(telling, key=lambda label: telling[label][c].value)
    top = telling[best][c]
    if now is None:
        free = best not in whole.values()
        others = [telling[label][c] for label in telling if label != best]
        return best if correcting and free and _tells(top) and all(_is_better(top, one) for one in others) else None
    if now not in telling:
        return now
    own = telling[now][c]
    if best != now and _tells(top) and _is_better(top, own):
        return best
    return None if own.value + SURE * own.error < MARGIN else now


def _is_better(one: Estimate, other: Estimate) -> bool:
    difference = one.value - other.value
    return difference >= CLASS_MARGIN and difference > SURE * float(np.hypot(one.error, other.error))
