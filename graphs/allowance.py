"""What a budget leaves for the reviews of a stage: its share of the money, less what the audit at the end will take."""

from agents.review_cost import FREE, ReviewPrice, count_requests, price_reviews
from agents.reviewer import make_manner
from agents.target import Terms, describe_llm
from graphs.context import RunContext
from graphs.expert import find_expert
from graphs.state import RunState, Short
from graphs.tables import read_first_texts
from records.base import Record
from records.folder import read_record, write_json
from records.outcome import Forecast
from records.rows import RowText
from specialists.certificate import size_sample

MARGIN = 1.1
"""So much of the expected price of an audit is kept back for it: no two requests cost the same."""

PRICED_TEXTS = 100
"""The first texts, from which reviews are priced before any was asked for."""


class Allowance(Record):
    """The rows that a stage may have reviewed; None: as many as it likes."""

    rows: int | None


def price_review(context: RunContext, texts: list[RowText]) -> ReviewPrice:
    """Return what reviews cost this run, by those asked for so far, else by some `texts` of the file."""
    settings = context.settings
    target = describe_llm(settings.llm)
    if target is None:
        return FREE
    answers = tuple(context.ledger.read_answers("reviewer"))
    terms = Terms(price=settings.llm_price, batch_api=settings.batch_api)
    return price_reviews(answers, context.read_task(), make_manner(settings), texts, target=target, terms=terms)


def keep_for_audit(context: RunContext, rows: int) -> None:
    """Keep back from the budget what the audit will take: from the start for one of a fixed size, and as the forecast
    says once there is one. No other request may use it until `free_for_audit`. Without a budget nothing is kept.
    """
    if context.settings.budget is None or find_expert(context) != "llm":
        return
    if context.folder.forecast.exists():
        usd = read_record(context.folder.forecast, Forecast).audit_reserve_usd or 0.0
    else:
        price = price_review(context, read_first_texts(context.folder, PRICED_TEXTS))
        size = size_sample(rows, rows)
        requests = count_requests(size, 1, context.settings.review_batch)
        expected = size * (price.row_usd or 0.0) + requests * (price.request_usd or 0.0)
        usd = reserve(price, expected, context.settings.review_batch)
    context.ledger.keep_back(usd)


def reserve(price: ReviewPrice, usd: float, batch: int) -> float:
    """Return what is kept back for reviews that are expected to cost so many USD: a little more, and a request's price.

    The last request of what comes before has had room for the most that it could cost, and hardly took it: that is the
    room for the first of these.
    """
    return MARGIN * usd + (price.request_usd or 0.0) + batch * (price.row_usd or 0.0)


def free_for_audit(context: RunContext) -> None:
    """Let the audit have what was kept back for it."""
    context.ledger.keep_back(0.0)


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
    price = price_reviewed_row(context)
    if price is None:
        return None
    to_come = state["rows"] - state["stage"] * state["stage_size"]
    left = budget - context.ledger.sum_spent() - context.ledger.read_kept()
    return max(0, int(left / price * min(1.0, state["stage_size"] / to_come)))


def price_reviewed_row(context: RunContext) -> float | None:
    """Return the USD that a reviewed row has cost on average; None where none has been paid for."""
    asked = context.reviews.count_asked()
    paid = [one.usd for one in context.ledger.spending() if one.role == "reviewer"]
    spent = sum(usd for usd in paid if usd is not None)
    return spent / asked if asked and spent else None


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
