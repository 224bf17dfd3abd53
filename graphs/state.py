"""The state of the annotation graph: ids, counters, verdicts and hashes only. Its size does not grow with the rows."""

from typing import Any, Literal, TypedDict

Update = dict[str, Any]
"""What a node changes of the state: field → new value."""

Asked = Literal["labels", "text", "go_on", "spend"]


class Question(TypedDict):
    """What the person is asked: the setting it answers (`go_on` and `spend`: none, the run waits for leave, `spend` to
    begin what the budget will not do for), and the words; the second line says how else to answer.

    `in_words`: the answer may be in any words, not only values separated by commas.
    """

    asks: Asked
    text: str
    in_words: bool


class Answer(TypedDict):
    """What the person was asked, and what they answered, as they wrote it."""

    asks: Asked
    question: str
    answer: str


class ScriptState(TypedDict):
    """Where a candidate's script stands. `fallback`: the attempt is the unmodified template, or, where it is refused,
    the next one is to be."""

    attempt: int
    fallback: bool
    status: Literal["written", "tested", "refused", "accepted", "dropped"]


class Short(TypedDict):
    """The first stage for whose reviews the budget had too little, that budget in USD, and what else the state was
    before this stage: counters, and the versions that voted. Later ones were taught by rows of this stage."""

    stage: int
    budget: float
    pool: int
    pool_from: int
    unlabelled: int
    versions: dict[str, int]


class RunState(TypedDict):
    """Written to the checkpoint after every node; everything else of a run is files in its folder."""

    question: Question | None
    answers: list[Answer]
    rows: int
    stage_size: int
    stages: int
    scripts: dict[str, ScriptState]
    """Shortlisted candidate → where its script stands; in the selector's order."""
    versions: dict[str, int]
    """Specialist of the ensemble → the version that votes; in the order of the lock."""
    stage: int
    round: int
    """Of the reviews for risk in this stage."""
    review_share: float
    """The largest share of a stage that is reviewed for risk; the result critic may raise it."""
    relabel: list[str]
    """The two labels between which rows of this stage are relabelled."""
    pool: int
    """Reviewed rows since the last fine-tune."""
    pool_from: int
    """The first stage whose reviewed rows are in the pool."""
    learned: int
    """How many fine-tunes were tried."""
    unlabelled: int
    short: Short | None
    """Where a larger budget takes the run up again; None where the money has done so far."""
