"""A fitted combination as a record: a run keeps it with the stage that it decided."""

import numpy as np

from records.base import Record
from specialists.combination import Combination, Member


class MemberRecord(Record):
    """The parameters under one assumed reliability of the reviewer, as `Member` has them."""

    vote_weight: float
    head_weight: tuple[float, ...]
    bias: tuple[float, ...]
    confusion: tuple[tuple[float, ...], ...]
    sureness_weight: float


class CombinationRecord(Record):
    """`Combination` in plain numbers: its members, and what each counts."""

    members: tuple[MemberRecord, ...]
    weights: tuple[float, ...]


def record_combination(combination: Combination) -> CombinationRecord:
    """Return the record of a combination."""
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
    return CombinationRecord(members=members, weights=tuple(combination.weights.tolist()))


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
