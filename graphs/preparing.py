"""From the sentence and the file to a task, its rows, and a shortlist of models."""

import math
from pathlib import Path
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.base import ColumnSample, TaskRequest
from graphs.context import RunContext
from graphs.jobs import read_candidates
from graphs.state import Answer, Question, RunState, ScriptState
from records.candidate import slug_of
from records.errors import NoSpecialistsError, TaskUnclearError
from records.events import CandidatesSelected, HubSearched, Noticed, TaskResolved
from records.folder import write_json, write_yaml
from records.readers.importing import ImportedRows, import_rows
from records.readers.inspection import FileLook, inspect_file
from records.settings import Settings

SEARCH_LIMITS = (20, 60)
"""Models asked for per search, by round: a second, wider round follows where the first finds too few."""


def analyse_task(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["ask_person", "search_hub"]]:
    """Resolve the task and read the rows; what cannot be told is asked for."""
    context = runtime.context
    settings, folder = context.settings, context.folder
    look = inspect_file(Path(settings.data), sheet=settings.sheet)
    if context.llm_host:
        context.emit(Noticed(message=f"{context.llm_host} will see the sentence and up to 20 rows of the file."))
    try:
        task = context.team.analyst.analyse(_describe_request(settings, state.get("answers", {}), look))
    except TaskUnclearError as unclear:
        question = Question(asks=unclear.asks, text=str(unclear))
        return Command(goto="ask_person", update={"question": question})
    imported = import_rows(
        Path(settings.data),
        folder.input,
        text_columns=task.text_columns,
        sheet=settings.sheet,
        shard_size=settings.shard_size,
    )
    write_yaml(folder.task, task)
    context.emit(
        TaskResolved(
            rows=imported.rows, labels=task.label_names, text_columns=task.text_columns, inferred=task.inferred
        )
    )
    for notice in _notices(imported):
        context.emit(Noticed(message=notice))
    stage_size = settings.stage_size or choose_stage_size(imported.rows)
    stages = math.ceil(imported.rows / stage_size)
    if context.llm_host:
        share = settings.review_share + settings.spot_check_share
        most = math.ceil(share * imported.rows) + stages
        context.emit(Noticed(message=f"{context.llm_host} may see up to {most} of {imported.rows} rows for review."))
    update = {
        "question": None,
        "rows": imported.rows,
        "stage_size": stage_size,
        "stages": stages,
        "search_round": 0,
        "stage": 0,
        "pool": 0,
        "pool_from": 0,
        "learned": 0,
        "unlabelled": 0,
    }
    return Command(goto="search_hub", update=update)


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


def _describe_request(settings: Settings, answers: dict[str, list[str]], look: FileLook) -> TaskRequest:
    return TaskRequest(
        sentence=settings.task,
        labels=tuple(answers.get("labels", settings.labels)),
        text_columns=tuple(answers.get("text", settings.text)),
        columns=tuple(
            ColumnSample(name=column.name, is_text=column.is_text, values=column.values) for column in look.columns
        ),
    )


def ask_person(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["analyse_task"]]:
    """Wait for the answer to one question. Nothing else may happen here: this node runs again from its top."""
    answer: Answer = interrupt(state.get("question"))
    answers = {**state.get("answers", {}), answer["asks"]: answer["values"]}
    return Command(goto="analyse_task", update={"answers": answers, "question": None})


def search_hub(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Search the Hub and keep every candidate's facts."""
    context = runtime.context
    queries = context.team.analyst.write_queries(context.read_task())
    found = context.open_hub().search(queries, limit=SEARCH_LIMITS[state["search_round"]])
    write_json(context.folder.hub / "candidates.json", [one.model_dump(mode="json") for one in found])
    context.emit(HubSearched(hub=context.hub_name, queries=queries, found=len(found)))


def select_candidates(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["search_hub", "write_scripts"]]:
    """Shortlist; with fewer than wanted, search once more and wider.

    Raises NoSpecialistsError where nothing found can do the task.
    """
    context = runtime.context
    candidates = list(read_candidates(context.folder).values())
    selections = context.team.selector.select(context.read_task(), candidates, context.settings.shortlist)
    write_json(context.folder.hub / "selection.json", [one.model_dump(mode="json") for one in selections])
    kept = [one for one in selections if one.kept]
    last_round = state["search_round"] + 1 == len(SEARCH_LIMITS)
    if len(kept) < context.settings.models and not last_round:
        return Command(goto="search_hub", update={"search_round": state["search_round"] + 1})
    if not kept:
        raise NoSpecialistsError(
            f"none of the {len(candidates)} models found on {context.hub_name} fits the task",
            next_step="Say the task in other words, give --labels, or name another --hub. "
            f"Why each was dropped: {context.folder.hub / 'selection.json'}",
        )
    context.emit(CandidatesSelected(kept=tuple(one.repo_id for one in kept), dropped=len(selections) - len(kept)))
    scripts = {slug_of(one.repo_id): ScriptState(attempt=1, status="written") for one in kept}
    return Command(goto="write_scripts", update={"scripts": scripts})
