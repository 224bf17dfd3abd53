"""Starts and resumes runs."""

import datetime
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from autoannotator.consent import Approve, ask_consent, refuse_to_approve
from autoannotator.settings import change_settings
from autoannotator.wiring import open_context
from graphs.driver import drive, is_settled
from graphs.people import check_unanswered, take_answers
from graphs.state import Question
from records.errors import (
    AutoAnnotatorError,
    DataError,
    PersonError,
    RunFolderError,
    SandboxError,
    TaskUnclearError,
    WaitingForPersonError,
)
from records.events import Event, RunFailed, RunStopped
from records.folder import RunFolder, read_record, write_yaml
from records.settings import Settings

GENERATED = Path("generated")

Show = Callable[[Event], None]
Ask = Callable[[Question], str]


def refuse_to_ask(question: Question) -> str:
    """Raise the question as an error, a TaskUnclearError or WaitingForPersonError: nobody is there to answer it."""
    what, _, next_step = question["text"].partition("\n")
    asks = question["asks"]
    if asks in ("go_on", "spend"):
        raise WaitingForPersonError(what, next_step=next_step)
    raise TaskUnclearError(what, next_step=next_step, asks=asks)


def let_spend(ask: Ask) -> Ask:
    """Return a way of asking by which a run whose forecast is over its budget goes on until that is spent."""
    return lambda question: "yes" if question["asks"] == "spend" else ask(question)


def name_run(task: str) -> str:
    """Return a new run's id: the time and the first words of the task."""
    words = "-".join(re.findall(r"[a-z0-9]+", task.lower())[:6])
    return f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{words}"[:60].strip("-")


def find_run(run: str | Path) -> RunFolder:
    """Return a run by its folder or its id. Raises RunFolderError where there is no such run."""
    for path in (Path(run), GENERATED / run):
        if (path / "settings.yaml").is_file():
            return RunFolder.open(path)
    raise RunFolderError(
        f"there is no run {run}: neither {run} nor {GENERATED / run} holds a settings.yaml",
        next_step="List the runs with `autoannotator runs list`.",
    )


def start_run(
    settings: Settings,
    out: Path | None,
    show: Show,
    ask: Ask,
    *,
    approve: Approve,
    prepare: Callable[[RunFolder], None] | None = None,
    forecast_only: bool = False,
) -> RunFolder:
    """Run from the beginning in a new folder and return it; `prepare` may put files into the folder first. With
    `forecast_only` the run stops after its forecast, to be resumed from there.

    Where the data or the task cannot be used, or the person does not let the language model see their rows, nothing
    is left behind. Raises whatever stopped the run.
    """
    path = out or GENERATED / name_run(settings.task)
    made = [one for one in (path, *path.parents) if not one.exists()]
    folder = RunFolder.create(path)
    try:
        write_yaml(folder.settings, settings)
        if prepare:
            prepare(folder)
        run(folder, settings, show, ask, approve=approve, forecast_only=forecast_only)
    except (DataError, PersonError, SandboxError):
        if not folder.task.exists():
            _take_back(path, made)
        raise
    return folder


def _take_back(path: Path, made: list[Path]) -> None:
    for left in path.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    with suppress(OSError):
        for one in made:
            one.rmdir()


def resume_run(
    folder: RunFolder,
    show: Show,
    ask: Ask,
    *,
    approve: Approve,
    leave: bool = False,
    target_error: float | None = None,
) -> RunFolder:
    """Go on where a run stopped; a finished one is returned as it is. `leave`: where it waits for leave, it has it.

    With another `target_error` than it had, a finished run takes up its audit again.
    Raises RunFolderError where files of a finished run are gone, and SettingsError for a target that is none, or where
    people have audited the labels.
    """
    settings = read_record(folder.settings, Settings)
    if target_error is not None:
        changed = change_settings(settings, target_error=target_error)
        if changed != settings:
            check_unanswered(folder, f"--target-error {target_error:g}")
        settings = changed
    if folder.manifest.exists():
        gone = folder.find_missing()
        if gone:
            raise RunFolderError(
                f"the run {folder.run_id} had finished, and now lacks {', '.join(gone[:5])}",
                next_step="Restore the files, or start a new run.",
            )
        if is_settled(folder, settings):
            return folder
    run(folder, settings, show, ask, approve=approve, leave=leave)
    return folder


def review_run(folder: RunFolder, answers: Path, show: Show) -> RunFolder:
    """Take people's answers to the sample that was drawn of a finished run's labels, and finish it anew with them; one
    that was stopped there goes on. Raises the errors of `graphs.people.take_answers`."""
    take_answers(folder, answers)
    return resume_run(folder, show, refuse_to_ask, approve=refuse_to_approve)


def run(
    folder: RunFolder,
    settings: Settings,
    show: Show,
    ask: Ask,
    *,
    approve: Approve,
    leave: bool = False,
    forecast_only: bool = False,
) -> None:
    """Drive the graph over a run folder, with its failure in the events."""
    with folder.locked():
        if read_record(folder.settings, Settings) != settings:
            write_yaml(folder.settings, settings)
        with open_context(folder, settings, show) as context:
            try:
                ask_consent(context, approve)
                context.team.check()
                drive(context, ask, leave=leave, stop_after="estimate" if forecast_only else None)
                if forecast_only:
                    context.emit(RunStopped())
            except AutoAnnotatorError as error:
                context.emit(RunFailed(error=str(error), exit_status=error.exit_status))
                raise
