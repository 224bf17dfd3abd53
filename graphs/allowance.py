"""What a budget leaves for the reviews of a stage: its share of the money, less what the audit at the end will take."""

from graphs.context import RunContext
from graphs.estimating import reserve_audit
from graphs.state import RunState, Short
from records.base import Record
from records.folder import read_record, write_json


class Allowance(Record):
    """The rows that a stage may have reviewed; None: as many as it likes."""

    rows: int | None


def allow_reviews(context: RunContext, state: RunState) -> int | None:
    """Return how many rows of this stage may be reviewed for risk; None without a budget, and where no review has been
    paid yet, so that its price is not known.

    Each stage has its share of what is left, by rows, so that the last ones get theirs. It is reckoned once and read
    back: what is left changes with every request.
    """
    if context.settings.budget is None:
        return None
    path = context.folder.scratch / f"stage-{state['stage']:04d}" / "allowance.json"
    if not path.exists():
        write_json(path, Allowance(rows=_reckon(context, state, context.settings.budget)))
    return read_record(path, Allowance).rows


def _reckon(context: RunContext, state: RunState, budget: float) -> int | None:
    asked = context.reviews.count_asked()
    paid = [one.usd for one in context.ledger.spending() if one.role == "reviewer"]
    spent = sum(usd for usd in paid if usd is not None)
    if not asked or not spent:
        return None
    price = spent / asked
    to_come = state["rows"] - state["stage"] * state["stage_size"]
    left = budget - context.ledger.sum_spent() - reserve_audit(context).usd
    return max(0, int(left / price * min(1.0, state["stage_size"] / to_come)))


def note_short(context: RunContext, state: RunState) -> Short:
    """Return where a larger budget takes the run up again: at the first stage whose reviews the money did not reach."""
    return state["short"] or Short(
        stage=state["stage"],
        budget=context.settings.budget or 0.0,
        pool=state["pool"],
        pool_from=state["pool_from"],
        unlabelled=state["unlabelled"],
        versions=state["versions"],
    )
