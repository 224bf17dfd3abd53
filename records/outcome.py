"""What a run ends with, its certificate, its cost and its manifest, and the forecast that it began with."""

from typing import Literal, Self

from pydantic import Field, model_validator

from records.base import Record

Expert = Literal["llm", "human", "gold"]
"""Whom a certificate compares the labels with: the reviewer, people, or gold rows."""


class PeopleAudit(Record):
    """The second line of a certificate: what people who labelled a uniform random sample of a finished run's labels
    show of all of them. `audited` rows were drawn; of these `differing` had another label than the person's, which they
    have since, and `unanswered` got none, and count as different.
    """

    statement: str = Field(min_length=1)
    bound: float = Field(ge=0, le=1)
    clopper_pearson: float = Field(ge=0, le=1)
    """The same by Clopper and Pearson's bound, for comparison; not claimed."""
    rows: int = Field(ge=1)
    """Rows that have a label; `given` of them had it from a person before, and are no part of the sample."""
    given: int = Field(ge=0)
    audited: int = Field(ge=1)
    differing: int = Field(ge=0)
    unanswered: int = Field(ge=0)
    error: float = Field(gt=0, lt=1)
    """This claim's share of the error probability of all that the run ever claims."""


class Certificate(Record):
    """`certificate.json`: how many of all labels differ at most from what the expert would have given.

    `certified`: at most the target's share does; `bound`: no target was asked for, and at most `bound` does; `not
    certified` and `not certifiable`: a target was asked for and is not met, or cannot be against this expert; `none`:
    nothing is known. `statement` says it in words, `reason` why it is no more. Counts are of rows that have a text.
    """

    version: Literal[1] = 1
    status: Literal["certified", "bound", "not certified", "not certifiable", "none"]
    statement: str = Field(min_length=1)
    reason: str = ""
    expert: Expert | None = None
    expert_name: str = ""
    confidence: float | None = Field(default=None, gt=0, lt=1)
    """That of everything this run ever claims, all its certificates together."""
    target: float | None = Field(default=None, gt=0, lt=1)
    bound: float | None = Field(default=None, ge=0, le=1)
    clopper_pearson: float | None = Field(default=None, ge=0, le=1)
    """The same by Clopper and Pearson's bound, for comparison where the sample's size was fixed; not claimed."""
    rows: int = Field(default=0, ge=0)
    reviewed: int = Field(default=0, ge=0)
    """Rows that have the expert's answer in the end, or whose texts, the same to the byte, have it."""
    audited: int = Field(default=0, ge=0)
    """Rows drawn at random. Of these `differing` had another label than the expert's and `unanswered` got none."""
    differing: int = Field(default=0, ge=0)
    unanswered: int = Field(default=0, ge=0)
    widened: int = Field(default=0, ge=0)
    """The riskiest rows that were reviewed beside, to meet the target."""
    budget_reached: bool = False
    """Whether the audit ended since no money was left; more of it goes on with the same audit."""
    people: PeopleAudit | None = None
    """What people's audit shows, beside all of the above, which is about the expert; None where there was none."""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if self.status == "bound" and self.budget_reached:  # part of its sample may not have been paid for
            return self
        if (self.status in ("certified", "bound")) == bool(self.reason):
            raise ValueError("what is not certified has a reason, and what is has none")
        return self


class RoleCost(Record):
    """What one role asked of one model for one stage; None: before the stages. The audit's stage is their number.

    `usd` is None where no price is known; `reason` then says so. `tokens_in` and `tokens_out` are None where the
    endpoint did not count those of every request.
    """

    role: str
    stage: int | None = Field(default=None, ge=0)
    model: str
    requests: int = Field(ge=0)
    tokens_in: int | None = Field(ge=0)
    tokens_out: int | None = Field(ge=0)
    usd: float | None = Field(ge=0)
    unanswered: int = Field(default=0, ge=0)
    """Requests that were sent under a budget and got no answer: they may have been charged."""
    reserved_usd: float = Field(default=0.0, ge=0)
    """What those, and answers whose tokens were not counted, have cost at most. The budget counts it as spent."""
    reason: str = ""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if (self.usd is None) != bool(self.reason):
            raise ValueError("a role's cost has either its usd or the reason why there is none")
        return self


class SpecialistCost(Record):
    """What one specialist ran through: its parameters and the tokens it read, padding not counted."""

    name: str
    parameters: int = Field(ge=0)
    tokens: int = Field(ge=0)

    @property
    def parameter_tokens(self) -> int:
        """Parameters times tokens: half the multiply-adds of a forward pass, whatever the machine."""
        return self.parameters * self.tokens


class RowsEstimate(Record):
    """What a way to label rows with the language model would have cost. `usd` is None where no price is known."""

    requests: int = Field(ge=0)
    tokens_in: int = Field(ge=0)
    tokens_out: int = Field(ge=0)
    usd: float | None = Field(ge=0)


class AllRows(Record):
    """What labelling every row that has a text with the same language model would have cost: one row in a request
    (`single`), and `batch` rows in a request (`batched`). Both are None where that cannot be told; `reason` says why.
    """

    rows: int = Field(ge=0)
    batch: int = Field(default=1, ge=1)
    single: RowsEstimate | None = None
    batched: RowsEstimate | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if {self.single is None, self.batched is None} != {bool(self.reason)}:
            raise ValueError("either both estimates are there, or the reason why there are none")
        return self


class Cost(Record):
    """`cost.json`: what a run used, role by role and stage by stage, and specialist by specialist.

    `all_rows` is None in a run of an earlier version.
    """

    version: Literal[1] = 1
    roles: tuple[RoleCost, ...]
    specialists: tuple[SpecialistCost, ...]
    all_rows: AllRows | None = None

    @property
    def usd(self) -> float | None:
        """The sum over the roles in USD; None where the price of one is not known."""
        prices = [role.usd for role in self.roles if role.usd is not None]
        return sum(prices) if len(prices) == len(self.roles) else None


class Span(Record):
    """A forecast figure and its range, `low` to `high`."""

    expected: float = Field(ge=0)
    low: float = Field(ge=0)
    high: float = Field(ge=0)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"{self.expected} does not lie between {self.low} and {self.high}")
        return self


class Forecast(Record):
    """`forecast.json`: what a run will take, told before its first stage from a pilot of `pilot` rows.

    Rows reviewed: `reviewed` before the forecast, and from there on `risk`, `spot_checks` and `audit`; `reviews` are
    all of them. `tokens` and `usd` are the reviewer's for all of these; `usd_ahead` is what of it is still to be spent.
    `seconds` are from the forecast on, of annotating, reviewing and fitting the vote, without fine-tunes;
    `seconds_before` are what the run took until then. Dollars are None where they cannot be told; `reason` says why.
    """

    version: Literal[1] = 1
    rows: int = Field(ge=0)
    """Rows that have a text."""
    pilot: int = Field(ge=0)
    reviewed: int = Field(ge=0)
    risk: Span
    spot_checks: Span
    audit: Span
    reviews: Span
    tokens: Span
    usd: Span | None
    usd_ahead: Span | None
    seconds: Span
    seconds_before: float = Field(default=0.0, ge=0)
    audit_usd: float | None = Field(ge=0)
    """What of it the audit is expected to cost."""
    audit_reserve_usd: float | None = Field(default=None, ge=0)
    """What a budget keeps back for it: a little more."""
    request_most_usd: float | None = Field(default=None, ge=0)
    """What one request may cost at most: it is sent only where there is room for it in the budget."""
    interval: str = Field(min_length=1)
    """What the ranges are, in words."""
    notes: tuple[str, ...] = ()
    """What the forecast does not reckon with, or could not know."""
    reason: str = ""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if {one is None for one in (self.usd, self.usd_ahead, self.audit_usd)} != {bool(self.reason)}:
            raise ValueError("either the dollars are there, or the reason why there are none")
        return self


class ListedFile(Record):
    """A file as the manifest names it: its size in bytes and its hexadecimal sha256."""

    bytes: int
    sha256: str


class Manifest(Record):
    """`manifest.json`: every finished file of a run by its path in the run folder. Written last."""

    version: Literal[1] = 1
    run: str
    files: dict[str, ListedFile]
