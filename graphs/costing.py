"""What a run cost, and what it saved: for `cost.json` and the report."""

from collections.abc import Sequence

from agents.all_rows import estimate_all_rows
from agents.target import describe_llm
from graphs.annotations import count_tokens
from graphs.context import RunContext
from graphs.jobs import read_lock
from graphs.tables import find_filled_rows
from records.ledger import Spending
from records.outcome import AllRows, Cost, RoleCost, RowsEstimate, SpecialistCost
from templates.report import ReportComparison, ReportCost

NO_LANGUAGE_MODEL = "no language model was asked"


def add_up_cost(context: RunContext, rows: int, stages: int) -> Cost:
    """Return what each role and specialist used, and what labelling all `rows` rows with the model would have cost."""
    specialists = tuple(
        SpecialistCost(name=one.name, parameters=one.parameters, tokens=count_tokens(context.folder, stages, one.name))
        for one in read_lock(context.folder).specialists
    )
    return Cost(
        roles=tuple(RoleCost(**one.model_dump(), reason=_why_no_price(one)) for one in context.ledger.spending()),
        specialists=specialists,
        all_rows=_compare(context, rows),
    )


def _compare(context: RunContext, rows: int) -> AllRows:
    settings = context.settings
    filled = len(find_filled_rows(context.folder, rows, settings.shard_size))
    target = describe_llm(settings.llm)
    if target is None:
        return AllRows(rows=filled, reason=NO_LANGUAGE_MODEL)
    reviews = context.ledger.read_answers("reviewer")
    return estimate_all_rows(reviews, filled, settings.review_batch, target, settings.llm_price)


def _why_no_price(spent: Spending) -> str:
    if spent.usd is not None:
        return ""
    if spent.tokens_in is None or spent.tokens_out is None:
        return f"the endpoint of {spent.model} does not count tokens, so its price is not known"
    return f"no price is known for {spent.model}: start a run with --llm-price IN,OUT (USD for a million tokens)"


def describe_cost(cost: Cost) -> ReportCost:
    """Return what the report shows of it."""
    tokens_in, tokens_out = (_add([getattr(one, name) for one in cost.roles]) for name in ("tokens_in", "tokens_out"))
    tokens = None if tokens_in is None or tokens_out is None else tokens_in + tokens_out
    return ReportCost(
        requests=sum(role.requests for role in cost.roles),
        prompt_tokens=tokens_in,
        completion_tokens=tokens_out,
        usd=cost.usd,
        reserved_usd=sum(role.reserved_usd for role in cost.roles),
        note="; ".join(dict.fromkeys(role.reason for role in cost.roles if role.reason))
        or ("" if cost.roles else NO_LANGUAGE_MODEL),
        comparisons=_describe_comparisons(cost, tokens),
        no_comparison=cost.all_rows.reason if cost.all_rows else "",
    )


def _describe_comparisons(cost: Cost, tokens: int | None) -> tuple[ReportComparison, ...]:
    told = cost.all_rows
    if told is None or told.single is None or told.batched is None:
        return ()
    ways = [("one row in a request", told.single)]
    if told.batch > 1:
        ways.append((f"{told.batch} rows in a request", told.batched))
    return tuple(
        ReportComparison(
            way=f"all {told.rows:,} rows, {way}",
            tokens=one.tokens_in + one.tokens_out,
            usd=one.usd,
            saved=_find_saved(cost.usd, tokens, one),
        )
        for way, one in ways
    )


def _find_saved(usd: float | None, tokens: int | None, other: RowsEstimate) -> float | None:
    """Return the share of the other's dollars, or, where these are not known or none, of its tokens, that was saved;
    below 0: the run took more. None where nothing is known of the run."""
    if usd is not None and other.usd:
        return 1 - usd / other.usd
    total = other.tokens_in + other.tokens_out
    return None if tokens is None or not total else 1 - tokens / total


def _add(counts: Sequence[int | None]) -> int | None:
    """Return the sum; None where a count is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
