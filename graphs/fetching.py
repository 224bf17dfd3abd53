"""The shortlist's models on this disk. One that cannot be had is left out, and the next best takes its place."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from langgraph.runtime import Runtime

from agents.selector_rules import find_substitute
from graphs.context import RunContext
from graphs.engine import Job
from graphs.jobs import (
    fetch_model,
    list_voters,
    read_candidates,
    read_selections,
    specialist_job,
    write_selections,
)
from graphs.state import RunState, ScriptState, Update
from hub.download_plan import check_space
from hub.weights import find_refusal
from records.candidate import Selection, slug_of
from records.errors import InfrastructureError, ModelError
from records.events import CandidateDropped, DownloadsPlanned

_Work = TypeVar("_Work")
HOPELESS = 10
"""So many models that cannot be had, and none that can, are a Hub that fails: no further ones are tried."""


def download_models(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Download the shortlisted models; a copy of it or a spare one takes the place of each that cannot be had.

    What was left out is noted in `hub/selection.json` once another model was had: a resumed run takes the same way,
    and a Hub that fails altogether is no reason to leave models out. Raises InfrastructureError where none can be had,
    HubUnreachableError where the Hub does not answer, and ModelError for a model that a given lock pins.
    """
    context = runtime.context
    selections = {slug_of(one.repo_id): one for one in read_selections(context.folder)}
    waiting = deque(slug for slug, one in selections.items() if one.kept)
    had: list[str] = []
    refused: dict[str, str] = {}
    _announce(context, waiting)
    while waiting:
        slug = waiting.popleft()
        try:
            fetch_model(context, slug)
            had.append(slug)
        except ModelError as error:
            refused[slug] = _say_why(context, error)
            substitute = find_substitute(tuple(selections.values()), selections[slug])
            if substitute and (had or len(refused) < HOPELESS):
                waiting.append(slug_of(substitute.repo_id))
                selections[waiting[-1]] = substitute
                _announce(context, [waiting[-1]])
    if refused and not had:
        raise _give_up(context, refused)
    if refused:
        _leave_out(context, selections, refused)
    kept = [slug for slug in selections if slug in had]
    return {"scripts": {slug: ScriptState(attempt=1, fallback=False, status="written") for slug in kept}}


def have_jobs(
    context: RunContext, slugs: Iterable[str], make: Callable[[str], _Work], *, others: bool = False
) -> tuple[list[_Work], dict[str, str]]:
    """Return what is made of models that were downloaded before, such as their jobs, and slug → why for those that
    cannot be had any more: the cache was emptied, say, and the Hub has them no more.

    Raises ModelError for a model that a given lock pins, and InfrastructureError where none can be had and the run has
    no `others`.
    """
    jobs: list[_Work] = []
    gone: dict[str, str] = {}
    for slug in slugs:
        try:
            jobs.append(make(slug))
        except ModelError as error:
            gone[slug] = _say_why(context, error)
    if gone and not jobs and not others:
        raise _give_up(context, gone)
    return jobs, gone


def have_voters(context: RunContext, state: RunState) -> tuple[list[Job], dict[str, str]]:
    """Return the jobs of the specialists that vote, each at its version, and name → why for those that cannot be had.

    Raises as `have_jobs` does.
    """
    voters = {one.name: one for one in list_voters(context.folder, state)}
    return have_jobs(context, voters, lambda name: specialist_job(context, voters[name], state["versions"][name]))


def leave_out(context: RunContext, gone: Mapping[str, str]) -> None:
    """Note that models which were kept are not used, and why, and tell it."""
    if gone:
        _leave_out(context, {slug_of(one.repo_id): one for one in read_selections(context.folder)}, gone)


def _leave_out(context: RunContext, selections: Mapping[str, Selection], refused: Mapping[str, str]) -> None:
    for slug, reason in refused.items():
        context.emit(CandidateDropped(model=slug, reason=reason))
    dropped = {
        slug: selections[slug].model_copy(update={"kept": False, "copy_of": None, "reason": f"dropped: {reason}"})
        for slug, reason in refused.items()
    }
    write_selections(context.folder, tuple((dict(selections) | dropped).values()))


def _announce(context: RunContext, slugs: Sequence[str]) -> None:
    """Tell how much is to be downloaded for these models, where something is.

    Raises InfrastructureError where the disk has no room for it.
    """
    known = read_candidates(context.folder)
    wanted = [known[slug] for slug in slugs if find_refusal(known[slug]) is None]
    plan = context.open_hub().plan_download(wanted)
    check_space(plan)
    if plan.missing:
        context.emit(DownloadsPlanned(models=len(wanted), size=plan.size, missing=plan.missing))


def _say_why(context: RunContext, error: ModelError) -> str:
    """Return why a model cannot be had, in one line. Raises ModelError where a lock pins it: nothing may replace it."""
    if context.given_lock is not None:
        raise ModelError(
            f"{context.settings.lock} pins a model that cannot be had as it is pinned: {error.what}",
            next_step=f"`autoannotator resume {context.folder.path}` tries again; else give another lock, or leave "
            "--lock out and have models searched for.",
        ) from error
    return " ".join(error.what.split())


def _give_up(context: RunContext, refused: Mapping[str, str]) -> InfrastructureError:
    return InfrastructureError(
        f"none of the models that were tried ({len(refused)}) can be had from {context.hub_name}: "
        + "; ".join(refused.values()),
        next_step=f"If the Hub is at fault, `autoannotator resume {context.folder.path}` tries them all again. "
        "Else start a run that says the task in other words, or name another --hub.",
    )
