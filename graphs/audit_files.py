"""The files of a run's audits: what was fixed before the first draw, what was drawn, what was claimed, how it ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from records.base import Record
from records.folder import RunFolder, read_record, write_json, write_table
from records.outcome import Expert
from specialists.arrays import Integers
from specialists.audit import AuditPlan, AuditRecord
from specialists.certificate import Statement, share_error

ClaimKind = Literal["audit", "bound"]
"""An audit is a claim, whatever it ends with; the bound that is stated where it misses its target is another."""


class AuditDesign(Record):
    """All that an audit fixes before its first draw (`audit/NN/plan.json`), but for the order of the rows.

    `labels`: the sha256 of the labels that it is about; `rows`: those that have a text; `reviewed`: those reviewed
    before, `known` of which differ or have no answer; `given`: those of them with a gold label, which counts as what
    the expert would have given; `unreviewed`: the population; `sample`: how many are drawn
    where the size is fixed, 0 under a target; `plan`: the tests under a target, None where none can help.
    """

    number: int
    expert: Expert
    target: float | None
    labels: str = ""
    rows: int
    reviewed: int
    known: int
    given: int = 0
    unreviewed: int
    allowed: int | None
    sample: int
    error: float
    plan: AuditPlan | None = None


class AuditEnd(Record):
    """How an audit ended (`audit/NN/end.json`), and for which target. `drawn` rows, of which `differing` had another
    label and `unanswered` got no answer; `widened`: the riskiest rows reviewed beside; `answered`: rows of the
    population, their copies among them, that the expert was asked about."""

    target: float | None
    statement: Statement
    drawn: int
    differing: int
    unanswered: int
    widened: int
    answered: int
    budget_reached: bool = False


class AuditMeans(Record):
    """`audit/NN/means.json`: how many texts a budget pays to have reviewed in an audit, those before it was raised
    among them. Reckoned once for each budget: what is left changes with every request."""

    budget: float
    reviews: int


class Claim(Record):
    """A claim of the run, and the part of the error probability that it takes."""

    audit: int
    kind: ClaimKind
    error: float


class Claims(Record):
    """`audit/claims.json`: every claim that the run has made, in their order."""

    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Population:
    """The rows of an audit, arrays (n_unreviewed,) in the order of risk, the riskiest first: number, group of texts
    that are the same to the byte, and frozen label. `order`: their places in the order in which they are drawn."""

    row: Integers
    group: Integers
    label: Integers
    order: Integers


class AuditFolder:
    """The folder `audit/NN` of one audit."""

    def __init__(self, folder: RunFolder, number: int) -> None:
        self.number = number
        self.path = folder.audits / f"{number:02d}"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def end(self) -> Path:
        return self.path / "end.json"

    @property
    def means(self) -> Path:
        return self.path / "means.json"

    def write_design(self, design: AuditDesign, population: Population) -> None:
        """Write down what is fixed; the plan comes last, and where it is the audit has begun."""
        columns = {name: pa.array(getattr(population, name)) for name in ("row", "group", "label", "order")}
        write_table(self.path / "order.parquet", pa.table(columns))
        write_json(self.plan, design)

    def read_design(self) -> AuditDesign:
        return read_record(self.plan, AuditDesign)

    def read_population(self) -> Population:
        table = pq.read_table(self.path / "order.parquet")
        return Population(*(table[name].to_numpy().astype(np.int64) for name in ("row", "group", "label", "order")))

    def write_record(self, record: AuditRecord) -> None:
        """Write down what was drawn so far."""
        write_json(self.path / "record.json", record)


def find_last_audit(folder: RunFolder) -> AuditFolder | None:
    """Return the latest audit that has begun."""
    numbers = [int(path.parent.name) for path in folder.audits.glob("[0-9]*/plan.json")]
    return AuditFolder(folder, max(numbers)) if numbers else None


def take_claim(folder: RunFolder, audit: int, kind: ClaimKind, confidence: float) -> float:
    """Return the error probability of a claim; it is written down first, and stays the same when asked again."""
    path = folder.audits / "claims.json"
    made = read_record(path, Claims).claims if path.exists() else ()
    for one in made:
        if (one.audit, one.kind) == (audit, kind):
            return one.error
    claim = Claim(audit=audit, kind=kind, error=share_error(confidence, len(made)))
    write_json(path, Claims(claims=(*made, claim)))
    return claim.error
