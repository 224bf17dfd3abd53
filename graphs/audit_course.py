"""The course of an audit: of a fixed size without a target, and under one drawn on and widened until it is settled."""

import math
from dataclasses import dataclass

import numpy as np

from graphs.allowance import PRICED_TEXTS, price_review, price_reviewed_row
from graphs.audit_asking import Auditor
from graphs.audit_files import AuditDesign, AuditEnd, AuditFolder, AuditMeans, take_claim
from graphs.audit_rows import NO_LABEL, scan_rows
from graphs.context import RunContext
from graphs.gold import book_rows, read_held_gold
from graphs.reviewing import number_step
from graphs.state import RunState
from graphs.tables import read_first_texts
from records.events import AuditLooked
from records.folder import read_record, write_json
from specialists.arrays import Integers
from specialists.audit import (
    DIFFERS,
    LOOK,
    SAME,
    UNANSWERED,
    AuditPlan,
    AuditRecord,
    Looks,
    Step,
    choose_step,
    make_tests,
    read_looks,
)
from specialists.certificate import (
    Statement,
    count_allowed,
    rule_out,
    rule_out_unanswered,
    state_bound,
    state_by_sample,
    state_certified,
    state_counted,
    state_missed,
)
from specialists.label_space import make_space

BUDGET_REACHED = "the budget was spent: "
OUT_OF_REACH = "what it would still take is more than the budget pays for: "


@dataclass
class TargetAudit:
    """An audit under a target. All that it decides follows from the plan and the answers, so that one which was stopped
    comes to where it was by going through it again, without asking anything twice."""

    context: RunContext
    folder: AuditFolder
    design: AuditDesign
    plan: AuditPlan
    auditor: Auditor
    draws: int = 0
    widened: int = 0

    def run(self) -> AuditEnd:
        """Draw, look and widen until the target is certified or given up, or no money is left.

        Raises LLMUnreachableError.
        """
        tests = make_tests(self.plan)
        while True:
            record = self.auditor.make_record(self.draws)
            self.folder.write_record(record)
            looks = read_looks(self.plan, record, tests)
            if hopeless := self._rule_out(looks):
                return self._end(record, hopeless)
            step = choose_step(self.plan, looks, widened=self.widened, most=self._count_payable())
            if step.kind == "draw" and self.draws:
                self._tell(record)
            if step.kind == "stop" and self.draws < self.plan.unreviewed:
                return self._end(record, self._miss(looks, OUT_OF_REACH), budget_reached=True)
            if step.kind == "stop":
                return self._end(record, self._settle_all(record))
            if not self._take(step):
                return self._end(record, self._miss(looks, BUDGET_REACHED), budget_reached=True)
            if step.kind == "widen" and (statement := self._certify(looks, step)):
                return self._end(record, statement)

    def _rule_out(self, looks: Looks) -> Statement | None:
        """Return that the target cannot be certified against this expert, by what is known or to be expected."""
        unanswered = self.auditor.count_unanswered(np.arange(self.plan.unreviewed))
        known = rule_out(self.plan.rows, self.plan.allowed, self.plan.known, unanswered)
        return known or rule_out_unanswered(self.plan, looks)

    def _take(self, step: Step) -> bool:
        """Do the step; return whether there was money for it."""
        if step.kind == "draw":
            draws = min(self.draws + LOOK, self.plan.unreviewed)
            if not self.auditor.ask(self.auditor.population.order[self.draws : draws]):
                return False
            self.draws = draws
        elif step.amount is not None:
            if not self.auditor.ask(self._list_widened(step.amount)):
                return False
            self.widened = step.amount
        return True

    def _list_widened(self, amount: int) -> Integers:
        return np.arange(self.plan.amounts[amount], dtype=np.int64)

    def _certify(self, looks: Looks, step: Step) -> Statement | None:
        return state_certified(self.plan, looks, step, self.auditor.count_unanswered(self._list_widened(self.widened)))

    def _count_payable(self) -> int | None:
        """Return how many further reviews the budget pays for; None without one."""
        if self.context.settings.budget is None:
            return None
        reviews = reckon_means(self.context, self.folder, len(self.auditor.asked)).reviews
        done = np.union1d(self.auditor.population.order[: self.draws], self._list_widened(self.widened))
        return max(reviews - self.auditor.count_texts(done), 0)

    def _settle_all(self, record: AuditRecord) -> Statement:
        """Return what is known where every row was drawn."""
        unanswered = record.outcomes.count(UNANSWERED)
        return state_counted(self.plan.rows, self.plan.allowed, self.plan.known, unanswered, self.plan.error)

    def _miss(self, looks: Looks, why: str) -> Statement:
        error = take_claim(self.context.folder, self.design.number, "bound", self.context.settings.confidence)
        mended = self.auditor.count_mended()
        missed = state_missed(self.plan, looks, known=self.plan.known, mended=mended, error=error)
        return missed.model_copy(update={"reason": why + missed.reason})

    def _tell(self, record: AuditRecord) -> None:
        self.context.emit(_tell(record, self.plan.amounts[self.widened]))

    def _end(self, record: AuditRecord, statement: Statement, *, budget_reached: bool = False) -> AuditEnd:
        self._tell(record)
        return AuditEnd(
            target=self.design.target,
            statement=statement,
            drawn=self.draws,
            differing=record.outcomes.count(DIFFERS),
            unanswered=record.outcomes.count(UNANSWERED),
            widened=self.plan.amounts[self.widened],
            answered=len(self.auditor.find_answers()[0]),
            budget_reached=budget_reached,
        )


def reckon_means(context: RunContext, folder: AuditFolder, asked: int) -> AuditMeans:
    """Return how many reviews of an audit the budget pays for, the `asked` ones among them, at the price of those so
    far and with room for the most that one request can cost. Raises ValueError where there is no budget."""
    budget = context.settings.budget
    if budget is None:
        raise ValueError("without a budget any number of reviews is paid for")
    if not folder.means.exists() or read_record(folder.means, AuditMeans).budget != budget:
        price = price_review(context, read_first_texts(context.folder, PRICED_TEXTS))
        batch = context.settings.review_batch
        row_usd = price_reviewed_row(context) or (price.row_usd or 0.0) + (price.request_usd or 0.0) / batch
        left = max(budget - context.ledger.sum_spent() - (price.most_usd or 0.0), 0.0)
        paid = math.floor(left / row_usd) if row_usd else 0
        write_json(folder.means, AuditMeans(budget=budget, reviews=asked + paid))
    return read_record(folder.means, AuditMeans)


def _tell(record: AuditRecord, widened: int = 0) -> AuditLooked:
    return AuditLooked(
        drawn=len(record.positions),
        differing=record.outcomes.count(DIFFERS),
        unanswered=record.outcomes.count(UNANSWERED),
        widened=widened,
    )


def audit_sample(
    context: RunContext, state: RunState, folder: AuditFolder, design: AuditDesign, auditor: Auditor
) -> AuditEnd:
    """Review a sample whose size was fixed beforehand, all at once, and state the bound that follows from it.

    A row for which there was no money counts as different. Raises LLMUnreachableError.
    """
    complete = auditor.ask(auditor.population.order[: design.sample])
    record = auditor.make_record(design.sample)
    folder.write_record(record)
    places, answers = auditor.find_answers()
    now = scan_rows(context, state)
    label = now.label[np.searchsorted(now.row, auditor.population.row[places])]
    answered = answers != NO_LABEL
    before = int((answered & (answers != auditor.population.label[places])).sum())
    after = int((answered & (answers != label)).sum())
    statement = _bound(design, record, mended=before - after)
    if not complete:
        unpaid = design.sample - auditor.count_drawn(design.sample)
        why = f"the budget did not pay for {unpaid} of the {design.sample} rows of the audit, which count as different"
        statement = statement.model_copy(update={"reason": why})
    context.emit(_tell(record))
    return AuditEnd(
        target=None,
        statement=statement,
        drawn=design.sample,
        differing=record.outcomes.count(DIFFERS),
        unanswered=record.outcomes.count(UNANSWERED),
        widened=0,
        answered=len(places),
        budget_reached=not complete,
    )


def audit_gold(context: RunContext, state: RunState, folder: AuditFolder, design: AuditDesign) -> AuditEnd:
    """Compare the gold rows that were set aside with their labels, state the bound that follows, and book them."""
    population, held = folder.read_population(), read_held_gold(context.folder)
    places = population.order[: design.sample]
    drawn = {number: held[number] for number in population.row[places].tolist()}
    gold = make_space(context.read_task()).encode_all(list(drawn.values()))
    outcomes = np.where(gold == population.label[places], SAME, DIFFERS)
    record = AuditRecord(positions=tuple(places.tolist()), outcomes=tuple(outcomes.tolist()))
    folder.write_record(record)
    book_rows(context, number_step(state["stages"], "risk") + design.number, drawn, "gold")
    differing = record.outcomes.count(DIFFERS)
    statement = _bound(design, record, mended=differing)
    if context.settings.target_error is not None:
        statement = state_by_sample(statement, count_allowed(design.rows, context.settings.target_error))
    context.emit(_tell(record))
    return AuditEnd(
        target=context.settings.target_error,
        statement=statement,
        drawn=design.sample,
        differing=differing,
        unanswered=0,
        widened=0,
        answered=design.sample,
    )


def _bound(design: AuditDesign, record: AuditRecord, *, mended: int) -> Statement:
    return state_bound(
        rows=design.rows,
        known=design.known,
        unreviewed=design.unreviewed,
        drawn=design.sample,
        wrong=sum(one != SAME for one in record.outcomes),
        mended=mended,
        error=design.error,
    )


def audit_nothing(design: AuditDesign) -> AuditEnd:
    """Return the end of an audit under a target that no draw can help: too many rows differ, or all were reviewed."""
    statement = state_counted(design.rows, design.allowed or 0, design.known, 0, design.error)
    return AuditEnd(
        target=design.target, statement=statement, drawn=0, differing=0, unanswered=0, widened=0, answered=0
    )
