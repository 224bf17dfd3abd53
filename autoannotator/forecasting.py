"""`autoannotator estimate`: what a run would take, before it takes it."""

import argparse

from rich.console import Console

from autoannotator import commands
from autoannotator.asking import choose_approve, choose_ask
from autoannotator.display import Display
from autoannotator.runner import start_run
from autoannotator.summary import align
from graphs.forecast_words import tell_forecast
from records.folder import read_record
from records.outcome import Forecast


def estimate(options: argparse.Namespace) -> commands.Outcome:
    """Go as far as the forecast and print it; the run folder stays, and `resume` goes on from there."""
    settings = commands.read_settings(options, options.task, options.data, options.task_file)
    with Display(Console(stderr=True)) as display:
        ask = choose_ask(display, allowed=not (options.yes or options.json))
        approve = choose_approve(display, yes=options.yes, allowed=not options.json)
        folder = start_run(settings, options.out, display.take, ask, approve=approve, forecast_only=True)
    forecast = read_record(folder.forecast, Forecast)
    further = f"autoannotator resume {folder.path}"
    shown = [
        align("forecast", "\n".join(tell_forecast(forecast))),
        align("ranges", forecast.interval),
        *([align("notes", "\n".join(forecast.notes))] if forecast.notes else []),
        *([align("dollars", forecast.reason)] if forecast.reason else []),
        align("go on", further),
    ]
    plain = {"run": folder.run_id, "folder": str(folder.path), "next": further}
    return commands.Outcome(shown, {**plain, "forecast": forecast.model_dump(mode="json")})
