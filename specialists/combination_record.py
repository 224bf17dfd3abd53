"""A fitted vote as a record: a run keeps it with the stage that it decided."""

from collections.abc import Sequence

import numpy as np

from records.base import Record
from specialists.calibrated_vote import VoteModel
from specialists.combination import Combination, Member, sum_weighted


class MemberRecord(Record):
    """The parameters under one assumed reliability of the reviewer, as `Member` has them."""

    vote_weight: float
    head_weight: tuple[float, ...]
    bias: tuple[float, ...]
    confusion: tuple[tuple[float, ...], ...]
    sureness_weight: float


class SpecialistRecord(Record):
    """What is estimated of one specialist: how its probabilities are calibrated (`Calibration`; None where too few rows
    were reviewed), and its `confusion`, label by label what it says where that label is true."""

    name: str
    slope: float | None
    bias: tuple[float, ...] | None
    confusion: tuple[tuple[float, ...], ...]


class CombinationRecord(Record):
    """`Combination` in plain numbers: its members, and what each counts; and what is estimated of the specialists that
    it pools and of the `reviewer`: P(its answer | label), label by label, in `labels`' order, all members together."""

    labels: tuple[str, ...]
    specialists: tuple[SpecialistRecord, ...]
    reviewer: tuple[tuple[float, ...], ...]
    members: tuple[MemberRecord, ...]
    weights: tuple[float, ...]


def record_combination(model: VoteModel, names: Sequence[str], labels: Sequence[str]) -> CombinationRecord:
    """Return the record of a vote between labels (n_labels,) over the specialists of these names."""
    calibration, combination = model.calibration, model.combination
    specialists = tuple(
        SpecialistRecord(
            name=name,
            slope=None if calibration is None else float(calibration.slope[place]),
            bias=None if calibration is None else tuple(calibration.bias[place].tolist()),
            confusion=tuple(map(tuple, model.confusion[place].tolist())),
        )
        for place, name in enumerate(names)
    )
    members = tuple(
        MemberRecord(
            vote_weight=one.vote_weight,
            head_weight=tuple(one.head_weight.tolist()),
            bias=tuple(one.bias.tolist()),
            confusion=tuple(map(tuple, one.confusion.tolist())),
            sureness_weight=one.sureness_weight,
        )
        for one in combination.members
    )
    reliability = sum_weighted(combination.weights, [one.reliability(np.zeros(1))[0] for one in combination.members])
    return CombinationRecord(
        labels=tuple(labels),
        specialists=specialists,
        reviewer=tuple(map(tuple, reliability.tolist())),
        members=members,
        weights=tuple(combination.weights.tolist()),
    )


def restore_combination(record: CombinationRecord) -> Combination:
    """Return the combination of a record: it decides as the one that was recorded."""
    members = tuple(
        Member(
            vote_weight=one.vote_weight,
            head_weight=np.array(one.head_weight),
            bias=np.array(one.bias),
            confusion=np.array(one.confusion),
            sureness_weight=one.sureness_weight,
        )
        for one in record.members
    )
    return Combination(members, np.array(record.weights))
