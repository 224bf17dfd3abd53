"""Runs the annotation graph over a run folder, from its start or from where it was stopped."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from langsmith.run_helpers import tracing_context

from graphs.annotate import build_graph
from graphs.context import RunContext
from graphs.estimating import exceeds_budget
from graphs.people import is_answered
from graphs.state import Answer, Question, RunState
from records.errors import RunFolderError
from records.folder import RunFolder, read_record
from records.outcome import Certificate
from records.settings import Settings

MOST_STEPS = 10**9
"""Stages repeat as often as the file is long; what bounds a run are its own counters."""


def drive(
    context: RunContext, ask: Callable[[Question], str], *, leave: bool = False, stop_after: str | None = None
) -> RunState:
    """Run the graph to its end and return its last state; a run that has ended already is returned as it is, unless its
    certificate is of another target than the settings', or no money was left for its audit: that is taken up again.

    `ask` answers a question to the person; what it raises ends the run, which can be resumed there. `leave`: where the
    run waits for leave to go on, it has it; it would wait again for a later one. `stop_after` names a node after which
    the run stops; the next time it goes on from there. Every node's result is on the disk
    before the next one begins. Raises RunFolderError where the checkpoints are damaged.
    """
    try:
        return _drive(context, ask, leave, stop_after)
    except sqlite3.DatabaseError as error:
        raise RunFolderError(
            f"{context.folder.checkpoints} cannot be used: {error}", next_step="Restore the file, or start a new run."
        ) from error


def _drive(context: RunContext, ask: Callable[[Question], str], leave: bool, stop_after: str | None) -> RunState:
    with closing(sqlite3.connect(context.folder.checkpoints, check_same_thread=False)) as connection:
        saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        graph = build_graph().compile(checkpointer=saver)
        stops = [stop_after] if stop_after else None
        config: Any = {"configurable": {"thread_id": context.folder.run_id}, "recursion_limit": MOST_STEPS}
        snapshot = graph.get_state(config)
        # A process that is killed between a node's end and the checkpoint after it leaves a task that has its result:
        # it is not `next` any more, and yet not the end.
        given: Any = None if snapshot.tasks or snapshot.values else {"answers": []}
        if snapshot.values and not snapshot.tasks and not is_settled(context.folder, context.settings):
            given = _reopen(context, cast(RunState, snapshot.values))
        while snapshot.tasks or given is not None:
            if snapshot.interrupts:
                given = _take_up(context, snapshot.interrupts[0].value, ask, leave)
            with tracing_context(enabled=False):  # whatever LANGSMITH_TRACING says: a run tells nobody
                graph.invoke(given, config, context=context, durability="sync", interrupt_after=stops)
            snapshot, given, leave = graph.get_state(config), None, False
            if stops and not snapshot.interrupts:
                break
            if not snapshot.tasks and _answers_another_target(context.folder, context.settings):
                given = Command(goto="audit")
        return cast(RunState, snapshot.values)


def _take_up(
    context: RunContext, question: Question, ask: Callable[[Question], str], leave: bool
) -> Command[Any] | None:
    """Return what a run that waits goes on with; None where there is nothing to ask any more: it has more money now."""
    if question["asks"] == "spend" and not exceeds_budget(context):
        return None
    may_leave = leave and question["asks"] in ("go_on", "spend")
    return Command(resume=_answer(_approve if may_leave else ask, question))


def is_settled(folder: RunFolder, settings: Settings) -> bool:
    """Return whether the certificate of a run that has ended is what its settings ask for, as far as can be had; after
    an audit by people, which is the last thing in a run, whether the run was finished anew with it."""
    certificate = read_record(folder.certificate, Certificate)
    if is_answered(folder):
        return certificate.people is not None and folder.manifest.exists()
    return not certificate.budget_reached and not _answers_another_target(folder, settings)


def _answers_another_target(folder: RunFolder, settings: Settings) -> bool:
    return read_record(folder.certificate, Certificate).target != settings.target_error


def _reopen(context: RunContext, state: RunState) -> Command[Any]:
    """Open a run that has ended: at its certificate, where people have audited it, at the first stage whose reviews the
    budget did not reach, where there is more money now, else at its audit. It is not finished from here on."""
    context.folder.manifest.unlink(missing_ok=True)
    if is_answered(context.folder):
        return Command(goto="certify")
    short, budget = state["short"], context.settings.budget
    if short is None or (budget is not None and budget <= short["budget"]):
        return Command(goto="audit")
    counters = {name: short[name] for name in ("stage", "pool", "pool_from", "unlabelled", "versions")}
    return Command(goto="annotate_stage", update={**counters, "short": None})


def _approve(question: Question) -> str:
    return "yes"


def _answer(ask: Callable[[Question], str], question: Question) -> Answer:
    what, _, _ = question["text"].partition("\n")
    return Answer(asks=question["asks"], question=what, answer=ask(question))
