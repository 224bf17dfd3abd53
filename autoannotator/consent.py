"""The person's word before a language model sees their data: which, where, and how many rows at most."""

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from agents.target import LLMTarget, describe_llm
from graphs.attempts import TEST_ROWS
from graphs.context import RunContext
from graphs.preparing import choose_stage_size
from graphs.probing import count_paid_rows
from records.errors import PersonError
from records.events import EndpointApproved, Noticed
from records.folder import RunFolder
from records.readers.importing import count_rows
from records.settings import Settings
from specialists.certificate import size_sample
from specialists.confusion import RELABEL_SHARE

SAMPLE_ROWS = 20
"""Rows that the analyst is shown."""

Approve = Callable[[str], bool]
"""Told what a model may see; returns whether the person lets it."""


def refuse_to_approve(told: str) -> bool:
    """Return False: nobody is there to be asked."""
    return False


def ask_consent(context: RunContext, approve: Approve) -> None:
    """Show which model may see how many rows, before it sees the first, and have the person agree where it is not on
    this machine. What they agreed to is an event, and a run that is resumed with the same model does not ask again.

    Raises PersonError where they do not agree, and DataError where the rows cannot be counted.
    """
    settings = context.settings
    target = describe_llm(settings.llm)
    if target is None:
        return
    total = _count_rows(context)
    rows = count_most_rows(settings, total)
    if _has_agreed(context.folder, target, rows):
        return
    told = f"{target.model} at {target.host} may see up to {rows:,} of the {total:,} rows."
    if target.is_loopback:
        context.emit(Noticed(message=f"{told} It runs on this machine."))
        return
    if not approve(told):
        raise PersonError(
            f"{told} Nobody has agreed to that.",
            next_step="Say --yes to agree (yes=True in Python), or --llm offline.",
        )
    context.emit(EndpointApproved(host=target.host, model=target.model, rows=rows))


def _count_rows(context: RunContext) -> int:
    if context.folder.input.exists():
        return pq.read_metadata(context.folder.input).num_rows
    return count_rows(Path(context.settings.data), sheet=context.settings.sheet)


def count_most_rows(settings: Settings, total: int) -> int:
    """Return the greatest number of rows that a language model may see: the analyst's sample, those that scripts are
    tested on (a failed test quotes them), the audition's probe, all reviews, and the audit: under a target it may be
    widened to all of them."""
    if settings.target_error is not None:
        return total
    stages = math.ceil(total / (settings.stage_size or choose_stage_size(total)))
    share = max(settings.first_review_share, settings.largest_review_share) + settings.spot_check_share + RELABEL_SHARE
    probe = 0 if settings.gold or settings.lock else count_paid_rows(settings.probe_size, total)
    return min(total, SAMPLE_ROWS + TEST_ROWS + probe + math.ceil(share * total) + stages + size_sample(total, total))


def _has_agreed(folder: RunFolder, target: LLMTarget, rows: int) -> bool:
    return any(
        isinstance(event, EndpointApproved)
        and (event.host, event.model) == (target.host, target.model)
        and event.rows >= rows
        for event in folder.read_events()
    )
