"""From the sentence and the file to a task, its rows, and a shortlist of models."""

import difflib
import math
from pathlib import Path
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.base import ColumnSample, PersonAnswer, TaskRequest
from agents.locked import read_parts
from graphs.allowance import keep_for_audit
from graphs.context import RunContext
from graphs.gold import book_gold
from graphs.jobs import read_candidates, write_selections
from graphs.remembered import RememberedHub
from graphs.state import Answer, Question, RunState
from records.errors import HubUnreachableError, NoSpecialistsError, SettingsError, TaskUnclearError
from records.events import CandidatesSelected, HubSearched, Noticed, TaskResolved
from records.folder import write_json
from records.readers.importing import ImportedRows, import_rows
from records.readers.inspection import FileLook, inspect_file
from records.task import TaskSpec
from records.task_file import read_task_file, write_task
from specialists.label_space import MOST_SET_LABELS


def analyse_task(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["ask_person", "search_hub"]]:
    """Resolve the task and read the rows; what cannot be told is asked for.

    Raises SettingsError where the task that was given does not fit the data, or has more labels than a set can have.
    """
    context = runtime.context
    look = inspect_file(Path(context.settings.data), sheet=context.settings.sheet)
    try:
        task = _resolve_task(context, look, state.get("answers", []))
    except TaskUnclearError as unclear:
        question = Question(asks=unclear.asks, text=str(unclear), in_words=unclear.in_words)
        return Command(goto="ask_person", update={"question": question})
    _refuse_too_many(task)
    _check_lock(context, task)
    rows = _import_rows(context, task)
    book_gold(context, task, rows)
    write_task(
        context.folder.task, task
    )  # the last of what a mistake of the person's may stop: the run stays from here
    keep_for_audit(context, rows)
    stage_size = context.settings.stage_size or choose_stage_size(rows)
    update = {
        "question": None,
        "rows": rows,
        "stage_size": stage_size,
        "stages": math.ceil(rows / stage_size),
        "stage": 0,
        "review_share": context.settings.first_review_share,
        "pool": 0,
        "pool_from": 0,
        "learned": 0,
        "unlabelled": 0,
        "short": None,
    }
    return Command(goto="search_hub", update=update)


def _resolve_task(context: RunContext, look: FileLook, answers: list[Answer]) -> TaskSpec:
    """Return the task that the person gave, else the analyst's."""
    settings = context.settings
    if settings.task_file:
        task = read_task_file(Path(settings.task_file)).model_copy(update={"sentence": settings.task})
        _check_columns(settings.task_file, task, look)
        return task
    request = TaskRequest(
        sentence=settings.task,
        labels=settings.labels,
        text_columns=settings.text,
        columns=tuple(
            ColumnSample(name=column.name, type=column.type, is_text=column.is_text, values=column.values)
            for column in look.columns
        ),
        rows=look.rows,
        answers=tuple(PersonAnswer.model_validate(answer) for answer in answers),
    )
    return context.team.analyst.analyse(request)


def _check_columns(file: str, task: TaskSpec, look: FileLook) -> None:
    """Raise SettingsError for every text column of a given task that the data does not have, or that is not text."""
    names = [column.name for column in look.columns]
    mistakes: list[str] = []
    for place, name in enumerate(task.text_columns):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            mistakes.append(f"{file}: text_columns.{place}: the data has no column {name!r}{meant}")
        elif name not in look.text_columns:
            mistakes.append(f"{file}: text_columns.{place}: the column {name!r} is not text")
    if mistakes:
        texts = ", ".join(look.text_columns) or "none"
        raise SettingsError("\n".join(mistakes), next_step=f"Mend the file. The data's text columns: {texts}.")


def _refuse_too_many(task: TaskSpec) -> None:
    """Raise SettingsError where a set of labels cannot have so many."""
    if task.kind == "multi_label" and len(task.labels) > MOST_SET_LABELS:
        raise SettingsError(
            f"a multi-label task may have {MOST_SET_LABELS} labels, and this one has {len(task.labels)}",
            next_step="Split it into tasks of fewer labels.",
        )


def _check_lock(context: RunContext, task: TaskSpec) -> None:
    """Raise SettingsError where the lock that was given is of another hub, its models give other labels, or its scripts
    may not be run."""
    lock = context.given_lock
    if lock is None:
        return
    if lock.hub != context.hub_name:
        raise SettingsError(
            f"the models of {context.settings.lock} are from the hub {lock.hub}, and this run's is {context.hub_name}",
            next_step=f"Say --hub {lock.hub}, or give another lock.",
        )
    for one in lock.specialists:
        if other := one.label_map.covered() - set(task.label_names):
            raise SettingsError(
                f"{one.repo_id} of {context.settings.lock} says {', '.join(sorted(other))}; the task's labels are "
                f"{', '.join(task.label_names)}",
                next_step="Give a lock that was made for these labels, or leave --lock out.",
            )
        read_parts(one)


def _import_rows(context: RunContext, task: TaskSpec) -> int:
    """Read the rows into the run folder, tell what the task is and what was found, and return how many they are."""
    settings = context.settings
    imported = import_rows(
        Path(settings.data),
        context.folder.input,
        text_columns=task.text_columns,
        kind=task.kind,
        sheet=settings.sheet,
        shard_size=settings.shard_size,
    )
    context.emit(
        TaskResolved(
            rows=imported.rows,
            labels=task.label_names,
            text_columns=task.text_columns,
            kind=task.kind,
            inferred=task.inferred,
        )
    )
    for notice in _notices(imported):
        context.emit(Noticed(message=notice))
    return imported.rows


def _notices(imported: ImportedRows) -> list[str]:
    notices = [f"The column {old} is kept as {new}: {old} is a name of ours." for old, new in imported.renamed.items()]
    if imported.empty_rows:
        notices.append(f"{imported.empty_rows} rows have no text; they stay unlabelled.")
    if imported.other_encoding:
        other = imported.other_encoding
        encodings = ", ".join(other.encodings)
        notices.append(f"{other.lines} lines are not in the file's encoding and were read as {encodings}.")
    return notices


def choose_stage_size(rows: int) -> int:
    """Return the rows of a stage: a quarter of the file, so that later rows gain from earlier reviews, in bounds."""
    return min(2000, max(100, math.ceil(rows / 4)))


def ask_person(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["analyse_task"]]:
    """Wait for the answer to one question. Nothing else may happen here: this node runs again from its top."""
    answer: Answer = interrupt(state.get("question"))
    answers = [*state.get("answers", []), answer]
    return Command(goto="analyse_task", update={"answers": answers, "question": None})


def search_hub(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Crawl the Hub and keep every model seen, and how it was found. A crawl that was cut off goes on.

    Raises HubUnreachableError where the Hub does not answer, or may not be asked and nothing is in the cache, and
    RequestsSpentError where the requests that it may make did not show a single model.
    """
    context = runtime.context
    if (context.folder.hub / "crawl.json").exists():
        return
    crawler, settings = context.team.crawler, context.settings
    hub = context.open_hub()
    remembered = RememberedHub(hub, context.folder.scratch / "crawl")
    crawl = crawler.crawl(context.read_task(), remembered, settings.filters, settings.hub_requests)
    if hub.offline and not crawl.candidates:
        raise HubUnreachableError(
            f"HF_HUB_OFFLINE forbids to ask the Hub at {hub.endpoint}, and no text classifier is in the cache",
            next_step="Unset HF_HUB_OFFLINE, or use the models that come with this program: --hub starter",
        )
    write_json(context.folder.hub / "candidates.json", [one.model_dump(mode="json") for one in crawl.candidates])
    context.emit(
        HubSearched(
            hub=context.hub_name,
            queries=tuple(step.query for step in crawl.steps if step.action == "search"),
            found=len(crawl.candidates),
            requests=crawl.requests,
        )
    )
    write_json(context.folder.hub / "crawl.json", [step.model_dump(mode="json") for step in crawl.steps])


def select_candidates(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Shortlist the models to try.

    Raises NoSpecialistsError where nothing found can do the task.
    """
    context, settings = runtime.context, runtime.context.settings
    candidates = list(read_candidates(context.folder).values())
    selections = context.team.selector.select(context.read_task(), candidates, settings.shortlist, settings.filters)
    write_selections(context.folder, selections)
    kept = [one for one in selections if one.kept]
    if not kept:
        raise NoSpecialistsError(
            f"none of the {len(candidates)} models found on {context.hub_name} fits the task",
            next_step="Say the task in other words, give --labels, or name another --hub. "
            f"Why each was dropped: {context.folder.hub / 'selection.json'}",
        )
    context.emit(CandidatesSelected(kept=tuple(one.repo_id for one in kept), dropped=len(selections) - len(kept)))
