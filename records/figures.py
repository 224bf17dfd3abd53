"""What a stage came to, counted: the result critic judges by these figures and sees no row."""

from pydantic import Field

from records.base import Record

Confusion = dict[str, dict[str, int]]
"""The label given → the reviewer's label → rows. Pairs without a row may be missing. In a multi-label task each label
is two, "toxic" and "not toxic"."""


class VoterCounts(Record):
    """What the vote, or one specialist, said: rows by its label, and how it fared with the reviewer."""

    rows: int = 0
    labels: dict[str, int] = Field(default_factory=dict[str, int])
    agreed: int = 0
    """Rows on which its label is the vote's."""
    reviewed: int = 0
    """Its rows that have a label from the reviewer."""
    confusion: Confusion = Field(default_factory=dict[str, dict[str, int]])

    @property
    def confirmed(self) -> float:
        """The share of its labels in the confusion matrix, from 0 to 1, that are the reviewer's too."""
        right = sum(row.get(label, 0) for label, row in self.confusion.items())
        return right / max(sum(sum(row.values()) for row in self.confusion.values()), 1)

    def __add__(self, other: "VoterCounts") -> "VoterCounts":
        given = dict.fromkeys([*self.confusion, *other.confusion])
        return VoterCounts(
            rows=self.rows + other.rows,
            labels=_add(self.labels, other.labels),
            agreed=self.agreed + other.agreed,
            reviewed=self.reviewed + other.reviewed,
            confusion={label: _add(self.confusion.get(label, {}), other.confusion.get(label, {})) for label in given},
        )


class StageCounts(Record):
    """Counts over the rows of a stage that have a text, or over those of several stages."""

    rows: int = 0
    unanimous: int = 0
    """Rows on which all specialists agree."""
    undecided: int = 0
    """Rows of which the reviewer said that it cannot tell."""
    failed: int = 0
    """Rows whose review failed."""
    unreviewed: int = 0
    """Rows whose text the reviewer has not been asked about."""
    spot_checked: int = 0
    """Rows of the spot check that have a label from the reviewer."""
    spot_differing: int = 0
    """Those of them on which the reviewer's label is not the vote's."""
    labels: dict[str, int] = Field(default_factory=dict[str, int])
    """Rows by their label as it stands, reviews included."""
    vote: VoterCounts = Field(default_factory=VoterCounts)
    specialists: dict[str, VoterCounts] = Field(default_factory=dict[str, VoterCounts])

    def __add__(self, other: "StageCounts") -> "StageCounts":
        names, nothing = dict.fromkeys([*self.specialists, *other.specialists]), VoterCounts()
        return StageCounts(
            rows=self.rows + other.rows,
            unanimous=self.unanimous + other.unanimous,
            undecided=self.undecided + other.undecided,
            failed=self.failed + other.failed,
            unreviewed=self.unreviewed + other.unreviewed,
            spot_checked=self.spot_checked + other.spot_checked,
            spot_differing=self.spot_differing + other.spot_differing,
            labels=_add(self.labels, other.labels),
            vote=self.vote + other.vote,
            specialists={
                name: self.specialists.get(name, nothing) + other.specialists.get(name, nothing) for name in names
            },
        )


class StageFigures(Record):
    """All that the result critic is shown after a stage. `so_far` holds this stage and those before it."""

    stage: int
    stages_left: int
    specialists: tuple[str, ...]
    """Those that vote now."""
    review_share: float
    """The largest share of a stage that is reviewed for risk at present, from 0 to 1."""
    largest_review_share: float
    """How far that may be raised."""
    promoted: int
    rejected: int
    """Fine-tunes so far that vote, and that were no better."""
    this_stage: StageCounts
    so_far: StageCounts


def _add(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in dict.fromkeys([*first, *second])}
