"""A forecast in words: for the terminal before the run, and for the report beside what it came to."""

from collections.abc import Callable, Iterator

from graphs.history import RunHistory
from records.outcome import Certificate, Cost, Forecast, Span
from templates.report import ReportForecast, ReportForecastLine, format_dollars


def tell_forecast(forecast: Forecast) -> Iterator[str]:
    """Yield the forecast in two lines: what will be reviewed, and what it takes."""
    parts = {"risk": forecast.risk, "spot checks": forecast.spot_checks, "audit": forecast.audit}
    shown = ", ".join(f"{name} {_tell_rows(span)}" for name, span in parts.items() if span.high)
    before = f", {forecast.reviewed:,} of them already" if forecast.reviewed else ""
    yield f"{_tell_rows(forecast.reviews)} of {forecast.rows:,} rows reviewed{before}" + (f": {shown}" if shown else "")
    tokens = f"{_tell_rows(forecast.tokens)} tokens, " if forecast.tokens.high else ""
    before = f" more, after {format_seconds(forecast.seconds_before)}" if forecast.seconds_before else ""
    yield f"{tokens}{_tell_usd(forecast)}, {_tell(forecast.seconds, format_seconds)}{before}"


def _tell_usd(forecast: Forecast) -> str:
    return "dollars unknown" if forecast.usd is None else _tell(forecast.usd, format_dollars)


def _tell_rows(span: Span) -> str:
    return _tell(span, lambda number: f"{round(number):,}")


def _tell(span: Span, write: Callable[[float], str]) -> str:
    """Return a figure and its range, which is left out where it cannot be told apart."""
    middle, low, high = (write(one) for one in (span.expected, span.low, span.high))
    return middle if low == middle == high else f"{middle} ({low}–{high})"


def format_seconds(seconds: float) -> str:
    """Return a time in words: "40 s", "12 min", "3.5 h"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def compare_forecast(forecast: Forecast, history: RunHistory, cost: Cost, certificate: Certificate) -> ReportForecast:
    """Return each figure of a forecast beside what the run came to."""
    audited = 0 if certificate.expert == "gold" else certificate.audited + certificate.widened
    reviews = forecast.reviewed + sum(one.rows for one in history.reviewed.values()) + audited
    roles = [one for one in cost.roles if one.role == "reviewer"]
    counts = [(one.tokens_in, one.tokens_out) for one in roles]
    tokens = [read + written for read, written in counts if read is not None and written is not None]
    prices = [one.usd for one in roles if one.usd is not None]
    lines = [
        ReportForecastLine(name="rows reviewed", forecast=_tell_rows(forecast.reviews), actual=f"{reviews:,}"),
        ReportForecastLine(
            name="tokens of the reviewer",
            forecast=_tell_rows(forecast.tokens),
            actual=f"{sum(tokens):,}" if len(tokens) == len(roles) else "not counted",
        ),
        ReportForecastLine(
            name="its cost",
            forecast=_tell_usd(forecast),
            actual=format_dollars(sum(prices)) if len(prices) == len(roles) else "unknown",
        ),
        ReportForecastLine(
            name="time after the forecast",
            forecast=_tell(forecast.seconds, format_seconds),
            actual=format_seconds(history.seconds),
        ),
    ]
    return ReportForecast(lines=tuple(lines), note="; ".join((forecast.interval, *forecast.notes)))
