"""The commands: each takes the parsed options and returns what to print and the exit status."""

import argparse
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from autoannotator.asking import choose_approve, choose_ask
from autoannotator.budget import change_budget
from autoannotator.display import Display
from autoannotator.runner import GENERATED, find_run, let_spend, resume_run, review_run, start_run
from autoannotator.settings import resolve_settings
from autoannotator.summary import align, summarise_run, tell_summary
from graphs.history import read_history
from graphs.people import draw_sample
from graphs.reporting import gather_report
from hub.server import HubServer
from records.errors import DataError, PersonError, RunFolderError, WaitingForPersonError
from records.events import RunFailed, RunFinished, RunStopped
from records.folder import RunFolder, read_record, write_text
from records.settings import Settings
from records.task import TaskSpec
from sandbox.choose import SandboxFinding, probe_sandboxes
from sandbox.image import DEFAULT_BASE, build_image
from templates.renderer import render_report

SETTINGS_OPTIONS = (
    "text", "labels", "sheet", "llm", "hub", "models", "stage_size", "pool_size", "learning", "seed", "threads",
    "concurrency", "llm_concurrency", "llm_requests_per_minute", "llm_tokens_per_minute", "llm_timeout",
    "llm_patience", "llm_price", "budget", "batch_api", "review_style", "review_reasons", "show_votes", "gold", "lock",
    "sandbox", "sandbox_runtime", "gpus", "max_params", "licence", "language", "vote", "rule", "worth",
    "review_share", "target_error", "confidence", "shortlist", "select_threshold", "hub_requests",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a command shows, the same as plain JSON, and its exit status."""

    shown: Sequence[RenderableType] = ()
    plain: dict[str, Any] = field(default_factory=dict[str, Any])
    exit_status: int = 0


def run(options: argparse.Namespace) -> Outcome:
    """Label a file."""
    return show_run(start(options, options.task, options.data, options.task_file))


def start(options: argparse.Namespace, task: str | None, data: str | Path, task_file: str | None = None) -> RunFolder:
    """Start a run with the options of the command line, shown as it goes."""
    settings = read_settings(options, task, data, task_file)
    with Display(Console(stderr=True)) as display:
        ask = choose_ask(display, allowed=not (options.yes or options.json))
        approve = choose_approve(display, yes=options.yes, allowed=not options.json)
        ask = let_spend(ask) if options.yes else ask
        return start_run(settings, options.out, display.take, ask, approve=approve)


def read_settings(options: argparse.Namespace, task: str | None, data: str | Path, task_file: str | None) -> Settings:
    """Return the settings of a new run. Raises SettingsError that names every mistake."""
    given = {name: getattr(options, name) for name in SETTINGS_OPTIONS}
    return resolve_settings({**given, "task": task, "data": data, "task_file": task_file})


def show_run(folder: RunFolder) -> Outcome:
    """Return the outcome of a finished run: its table, and its exit status."""
    summary = summarise_run(folder)
    return Outcome(tell_summary(summary), summary.model_dump(mode="json"), summary.exit_status)


def resume(options: argparse.Namespace) -> Outcome:
    """Finish a run that was stopped, perhaps with a larger budget."""
    with Display(Console(stderr=True)) as display:
        ask = choose_ask(display, allowed=not (options.yes or options.json))
        ask = let_spend(ask) if options.yes else ask
        approve = choose_approve(display, yes=options.yes, allowed=not options.json)
        folder = find_run(options.run)
        if options.budget is not None:
            change_budget(folder, options.budget, display.take)
        resume_run(folder, display.take, ask, approve=approve, leave=options.yes, target_error=options.target_error)
        return show_run(folder)


def review(options: argparse.Namespace) -> Outcome:
    """Draw rows of a finished run for people to label, or take their labels."""
    folder = find_run(options.run)
    if options.answers is not None:
        with Display(Console(stderr=True)) as display:
            return show_run(review_run(folder, options.answers, display.take))
    rows, form = draw_sample(folder, options.rows), str(folder.review_form)
    labels = ", ".join(read_record(folder.task, TaskSpec).label_names)
    then = f"autoannotator review {folder.path} --answers {form}"
    told = f"{rows:,} rows, drawn at random, wait for a person in {form}"
    next_step = f"Write one of {labels} into the column label, or leave it empty where none can be told. Then:\n{then}"
    plain = {"run": folder.run_id, "rows": rows, "form": form, "next": then}
    return Outcome([align("review", f"{told}\n{next_step}")], plain, WaitingForPersonError.exit_status)


def status(options: argparse.Namespace) -> Outcome:
    """Say how far a run is."""
    folder = find_run(options.run)
    if folder.manifest.exists():
        return show_run(folder)
    plain = describe_progress(folder)
    return Outcome([align(name, value) for name, value in plain.items() if value], plain)


def describe_progress(folder: RunFolder) -> dict[str, str]:
    """Return where an unfinished run stands, in words."""
    history = read_history(folder)
    ending = history.ending
    return {
        "run": folder.run_id,
        "state": _tell_state(ending),
        "step": history.node,
        "stage": f"{max(history.started, default=-1) + 1} of {history.stages}" if history.stages else "none yet",
        "error": getattr(ending, "error", ""),
        "next": f"autoannotator resume {folder.path}",
    }


def _tell_state(ending: RunFinished | RunStopped | RunFailed | None) -> str:
    match ending:
        case None:
            return "running or killed"
        case RunStopped():
            return "stopped after the forecast, as `estimate` does; resume goes on from there"
        case _:
            return "stopped"


def report(options: argparse.Namespace) -> Outcome:
    """Draw the report of a finished run again."""
    folder = find_run(options.run)
    if not folder.manifest.exists():
        raise RunFolderError(
            f"the run {folder.run_id} has not finished", next_step=f"autoannotator resume {folder.path}"
        )
    write_text(folder.report, render_report(gather_report(folder)).text)
    folder.write_manifest()
    return Outcome([Text(str(folder.report))], {"report": str(folder.report)})


def runs(options: argparse.Namespace) -> Outcome:
    """List, show or delete runs."""
    if options.action == "list":
        return _list_runs()
    if not options.runs:
        raise PersonError(f"runs {options.action} needs a RUN", next_step="`autoannotator runs list` lists them.")
    folders = [find_run(run) for run in options.runs]
    if options.action == "show":
        settings = [read_record(folder.settings, Settings).model_dump(mode="json") for folder in folders]
        shown = [align(name, str(value)) for one in settings for name, value in one.items()]
        return Outcome(shown, {"runs": settings})
    return _delete_runs(folders, options.yes)


def _list_runs() -> Outcome:
    folders = [RunFolder(path.parent) for path in sorted(GENERATED.glob("*/settings.yaml"))]
    plain = []
    for folder in folders:
        state = "finished" if folder.manifest.exists() else "not finished"
        try:
            task = read_record(folder.settings, Settings).task
        except RunFolderError:
            task, state = "", "unreadable settings"
        plain.append({"run": folder.run_id, "task": task, "state": state})
    shown = [align(run["run"], f"{run['state']}: {run['task']}") for run in plain]
    return Outcome(shown or [Text(f"no runs in {GENERATED}/")], {"runs": plain})


def _delete_runs(folders: Sequence[RunFolder], sure: bool) -> Outcome:
    names = [folder.run_id for folder in folders]
    if not sure:
        raise PersonError(
            f"deleting {', '.join(names)} removes every answer that was paid for", next_step="Say --yes to delete."
        )
    for folder in folders:
        with folder.locked():
            shutil.rmtree(folder.path)
    return Outcome([Text(f"deleted {name}") for name in names], {"deleted": names})


def serve_hub(options: argparse.Namespace) -> Outcome:
    """Serve a folder or a catalogue as a Hub until interrupted; the first line printed is its URL."""
    if not (options.path.is_dir() or options.path.is_file()):
        raise DataError(
            str(options.path),
            "is neither a folder nor a file",
            next_step="Give a folder that holds owner/name/ folders, or a catalogue of models (.jsonl).",
        )
    try:
        server = HubServer(options.path, host=options.host, port=options.port)
    except (OSError, OverflowError) as error:
        raise PersonError(
            f"cannot listen on {options.host}, port {options.port}: {error}",
            next_step="Give a free --port, up to 65535.",
        ) from error
    with server:
        print(server.url, flush=True)  # noqa: T201 (scripts wait for this line)
        threading.Event().wait()
    return Outcome()


def doctor(options: argparse.Namespace) -> Outcome:
    """Say what this machine has and lacks; with --build-image, build the sandbox's image first."""
    if options.base and not options.build_image:
        raise PersonError("--base is of no use alone", next_step="Say --build-image too.")
    console = Console(stderr=True)
    built = (
        build_image(options.base or DEFAULT_BASE, lambda line: console.print(line, markup=False))
        if options.build_image
        else None
    )
    findings = probe_sandboxes()
    return Outcome(
        [_show_finding(one) for one in findings], {"image": built, "sandboxes": [vars(one) for one in findings]}
    )


def _show_finding(finding: SandboxFinding) -> RenderableType:
    works = "works" if finding.available else "does not work"
    told = (works, finding.missing, finding.next_step, *finding.shortfalls)
    return align(finding.name, "\n".join(filter(None, told)))
