"""The forecast before the first stage: rows reviewed, tokens, dollars and time, each with a range, from a pilot."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, overload

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.review_cost import FREE, ReviewPrice, count_requests
from graphs.allowance import keep_for_audit, price_review, reserve
from graphs.calibrating import calibrate_reviewer
from graphs.choice import ROUND_SHARE
from graphs.context import RunContext
from graphs.expert import find_expert
from graphs.history import read_history
from graphs.pilot import Outlook, Pilot, hold_pilot, look_ahead, measure_fit
from graphs.reviewing import CALIBRATION_STEP, EVIDENCE, GOLD_STEP, PROBE_STEP
from graphs.state import Answer, Question, RunState, Update
from graphs.tables import find_filled_rows
from records.events import Forecasted
from records.folder import read_record, write_json
from records.outcome import Forecast, Span
from specialists.audit import LOOK
from specialists.certificate import share_error
from specialists.forecast import AuditTerms, ReviewForecast, ReviewPlan, forecast_reviews
from specialists.label_space import make_space
from templates.report import format_dollars

FITS_OF_A_STAGE = 4
"""Of the vote, beside one before each round of reviews: at the stage's vote, when no review is worth it any more,
before the spot check, and for the labels."""


def estimate(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["ask_to_spend", "annotate_stage"]]:
    """Forecast what the run will take, and have it wait where that is more than the budget has left.

    Raises ModelError where there is no pilot to tell it from, and LLMUnreachableError.
    """
    context = runtime.context
    if not context.folder.forecast.exists():
        pilot = hold_pilot(context, state)
        calibrate_reviewer(context, state["rows"], pilot.numbers, price_review(context, pilot.texts))
        write_json(context.folder.forecast, make_forecast(context, state, pilot))
    keep_for_audit(context, state["rows"])
    forecast = read_record(context.folder.forecast, Forecast)
    context.emit(Forecasted(forecast=forecast, budget_left=find_left(context)))
    if not exceeds_budget(context):
        return Command(goto="annotate_stage")
    least = format_dollars(forecast.usd_ahead.low if forecast.usd_ahead else 0.0)
    room = format_dollars(forecast.request_most_usd or 0.0)
    question = Question(
        asks="spend",
        text=f"The reviews of this run will cost {least} more at least, by the forecast, beside room for the most that "
        f"one request may cost ({room}), and {format_dollars(find_left(context) or 0.0)} of the budget of "
        f"{context.settings.budget:g} USD are left.\n"
        f"autoannotator resume {context.folder.path} --yes goes on until it is spent, --budget USD with more.",
        in_words=False,
    )
    return Command(goto="ask_to_spend", update={"question": question})


def ask_to_spend(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Wait until the person lets the run spend what will not do, or gives it more. Nothing else may happen here: this
    node runs again from its top."""
    if exceeds_budget(runtime.context):
        _: Answer = interrupt(state["question"])
    return {"question": None}


def find_left(context: RunContext) -> float | None:
    """Return the USD of the budget that are left, None where there is no budget."""
    budget = context.settings.budget
    return None if budget is None else max(budget - context.ledger.sum_spent(), 0.0)


def exceeds_budget(context: RunContext) -> bool:
    """Return whether even the low end of the forecast is more than the budget has left, less what it needs as room for
    the last request."""
    forecast, left = read_record(context.folder.forecast, Forecast), find_left(context)
    if left is None or forecast.usd_ahead is None or forecast.usd_ahead.low == 0:
        return False
    return forecast.usd_ahead.low + (forecast.request_most_usd or 0.0) > left


def make_forecast(context: RunContext, state: RunState, pilot: Pilot) -> Forecast:
    """Return what the run will take from here on."""
    settings, outlook = context.settings, look_ahead(context, state, pilot)
    before = sum(len(context.reviews.list_step(step)) for step in (PROBE_STEP, CALIBRATION_STEP))
    rows = len(find_filled_rows(context.folder, state["rows"], settings.shard_size))
    ahead = forecast_reviews(outlook.rows, _plan_reviews(context, state, rows, outlook), settings.seed)
    price = price_review(context, pilot.texts)
    spent = [one for one in context.ledger.spending() if one.role == "reviewer"]
    tokens = sum((one.tokens_in or 0) + (one.tokens_out or 0) for one in spent)
    calls = _Calls(settings.target_error is not None, state["stages"], ahead)
    requests = calls.count(settings.review_batch)
    usd = _add_up(ahead.total, requests, price.row_usd, price.request_usd)
    audit_usd = _add_up(ahead.audit, calls.count_audit(settings.review_batch), price.row_usd, price.request_usd)
    return Forecast(
        rows=rows,
        pilot=len(pilot.numbers),
        reviewed=before,
        risk=ahead.risk,
        spot_checks=ahead.spot_checks,
        audit=ahead.audit,
        reviews=_shift(ahead.total, before),
        tokens=_shift(_add_up(ahead.total, requests, price.row_tokens, price.request_tokens), tokens),
        usd=None if usd is None else _shift(usd, sum(one.usd or 0.0 for one in spent)),
        usd_ahead=usd,
        audit_usd=None if audit_usd is None else audit_usd.expected,
        audit_reserve_usd=None if audit_usd is None else reserve(price, audit_usd.expected, settings.review_batch),
        request_most_usd=price.most_usd,
        seconds=_forecast_seconds(context, state, pilot, calls, price, rows=rows, reviewed=before),
        seconds_before=read_history(context.folder).seconds_before,
        interval=_describe_interval(context, len(pilot.numbers)),
        notes=tuple(_list_notes(context, price, ahead)),
        reason="" if usd is not None else f"no price is known for {settings.llm}: state it with --llm-price",
    )


@dataclass(frozen=True)
class _Calls:
    """The requests for the reviews ahead: every stage asks by itself, and an audit for a target look by look."""

    has_target: bool
    stages: int
    ahead: ReviewForecast

    def count(self, batch: int) -> Span:
        """Return the requests of at most `batch` rows."""
        risk, spot_checks = (
            _map(part, lambda rows: count_requests(rows, self.stages, batch))
            for part in (self.ahead.risk, self.ahead.spot_checks)
        )
        parts = (risk, spot_checks, self.count_audit(batch))
        return Span(
            expected=sum(one.expected for one in parts),
            low=sum(one.low for one in parts),
            high=sum(one.high for one in parts),
        )

    def count_audit(self, batch: int) -> Span:
        """Return those of the audit."""
        return _map(self.ahead.audit, lambda rows: count_requests(rows, rows / LOOK if self.has_target else 1, batch))


def _plan_reviews(context: RunContext, state: RunState, rows: int, outlook: Outlook) -> ReviewPlan:
    settings, share, size = context.settings, state["review_share"], state["stage_size"]
    stages = [min(size, state["rows"] - size * stage) for stage in range(state["stages"])]
    checked = settings.spot_check_share
    terms = AuditTerms(settings.target_error, share_error(settings.confidence, 0), outlook.known_rate)
    return ReviewPlan(
        rows=rows,
        reviewed=sum(len(context.reviews.list_step(step)) for step in (GOLD_STEP, PROBE_STEP)),
        worth=outlook.worth,
        most=sum(math.floor(share * one) for one in stages),
        spot_checks=sum(max(1, round(checked * one)) for one in stages) if checked else 0,
        audit=terms if find_expert(context) in ("llm", "human") else None,
        target=outlook.target,
    )


def _forecast_seconds(
    context: RunContext, state: RunState, pilot: Pilot, calls: _Calls, price: ReviewPrice, *, rows: int, reviewed: int
) -> Span:
    """Return the seconds of annotating all rows, `concurrency` specialists at a time, of reviewing, and of fitting the
    vote to what is reviewed."""
    settings, risk = context.settings, calls.ahead.risk
    of_a_row = max(float(pilot.seconds.sum()) / settings.concurrency, float(pilot.seconds.max()))
    waits = calls.count(settings.review_batch * settings.llm_concurrency)
    spent = _map(waits, lambda waited: rows * of_a_row + waited * (price.seconds or 0.0))
    if settings.vote != "calibrated" or context.team.reviewer.source not in EVIDENCE or not rows:
        return spent
    of_a_fit = measure_fit(pilot, reviewed + round(risk.expected / 2), settings.seed, make_space(context.read_task()))
    round_ = max(settings.review_batch, ROUND_SHARE * state["stage_size"])
    fits = _map(risk, lambda wanted: state["stages"] * FITS_OF_A_STAGE + math.ceil(wanted / round_))
    return _add_up(spent, fits, 1.0, of_a_fit)


def _describe_interval(context: RunContext, pilot: int) -> str:
    method = "binomial (Clopper-Pearson)" if context.settings.target_error is None else "bootstrap"
    return f"90 % {method} interval over the {pilot:,} rows of the pilot; what the vote will learn is not in it"


def _list_notes(context: RunContext, price: ReviewPrice, ahead: ReviewForecast) -> list[str]:
    settings, reviews = context.settings, price is not FREE
    told = {
        "the time is that of annotating, reviewing and fitting the vote, not of starting models or of fine-tunes": True,
        "the endpoint's batches may take a day, which is not in the time": reviews and settings.batch_api,
        "no review was asked for yet, so the time has none": reviews and price.seconds is None,
        "the endpoint has counted the tokens of no review: they are estimated from the texts": not price.counted,
        "later prompts hold examples, which are not in the tokens": reviews and settings.review_style == "few",
        "the gold rows stand for the file": settings.gold is not None and context.given_lock is None,
        "more reviewed rows will differ than the target allows: no audit could certify it": not ahead.certifiable,
        "other roles than the reviewer, and what the result critic asks for, are not in it": reviews,
    }
    return [note for note, holds in told.items() if holds]


def _map(span: Span, change: Callable[[float], float]) -> Span:
    """Return the span of a figure that grows with another's."""
    return Span(expected=change(span.expected), low=change(span.low), high=change(span.high))


def _shift(span: Span, by: float) -> Span:
    return _map(span, lambda figure: figure + by)


@overload
def _add_up(rows: Span, requests: Span, of_a_row: float, of_a_request: float) -> Span: ...
@overload
def _add_up(rows: Span, requests: Span, of_a_row: float | None, of_a_request: float | None) -> Span | None: ...
def _add_up(rows: Span, requests: Span, of_a_row: float | None, of_a_request: float | None) -> Span | None:
    """Return what rows in requests take; None where that is not known of one."""
    if of_a_row is None or of_a_request is None:
        return None
    return Span(
        expected=of_a_row * rows.expected + of_a_request * requests.expected,
        low=of_a_row * rows.low + of_a_request * requests.low,
        high=of_a_row * rows.high + of_a_request * requests.high,
    )
