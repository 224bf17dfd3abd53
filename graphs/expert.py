"""Whom the labels of a run are compared with, and whose answers stand."""

from graphs.context import RunContext
from graphs.gold import read_held_gold
from records.outcome import Expert


def find_expert(context: RunContext) -> Expert | None:
    """Return whom the labels are compared with: gold rows that were set aside for it, else the reviewer; None where a
    classifier reviews, which is no expert."""
    if read_held_gold(context.folder):
        return "gold"
    match context.team.reviewer.source:
        case "llm" | "human" as source:
            return source
        case _:
            return None


def takes_answers(context: RunContext) -> bool:
    """Return whether a reviewed row takes the reviewer's answer, whatever the vote makes of it: under a target it is
    agreement with the reviewer that was asked for, unless gold rows certify, against which it is evidence as ever."""
    return context.settings.target_error is not None and find_expert(context) != "gold"
