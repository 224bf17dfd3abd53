"""Questions to the person at the terminal."""

import sys

from rich.text import Text

from autoannotator.consent import Approve, refuse_to_approve
from autoannotator.display import Display
from autoannotator.runner import Ask, refuse_to_ask
from autoannotator.terminal import strip_controls
from graphs.state import Question


def choose_ask(display: Display, *, allowed: bool) -> Ask:
    """Return how questions are answered: at the terminal where there is one and it is allowed, else not at all."""
    if not (allowed and _has_terminal()):
        return refuse_to_ask

    def ask(question: Question) -> str:
        what, _, _ = strip_controls(question["text"]).partition("\n")
        with display.paused():
            answer = display.console.input(Text(f"{what}\n{_choose_prompt(question)}"))
        if question["asks"] in ("go_on", "spend") and not _says_yes(answer):
            return refuse_to_ask(question)
        return answer.strip(" ,\t") or refuse_to_ask(question)

    return ask


def _choose_prompt(question: Question) -> str:
    if question["in_words"]:
        return "Your answer: "
    match question["asks"]:
        case "labels":
            return "Labels, separated by commas: "
        case "text":
            return "Text column: "
        case "go_on" | "spend":
            return "Go on all the same? [y/N] "


def choose_approve(display: Display, *, yes: bool, allowed: bool) -> Approve:
    """Return how the person is asked to let a language model see their rows: not at all where they said yes before,
    at the terminal where there is one and it is allowed, and else nobody agrees.
    """
    if yes:
        return lambda told: True
    if not (allowed and _has_terminal()):
        return refuse_to_approve

    def approve(told: str) -> bool:
        with display.paused():
            answer = display.console.input(Text(strip_controls(f"{told} Go on? [y/N] ")))
        return _says_yes(answer)

    return approve


def _says_yes(answer: str) -> bool:
    return answer.strip().casefold() in {"y", "yes"}


def _has_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())
