"""Questions to the person at the terminal."""

import sys

from rich.text import Text

from autoannotator.display import Display
from autoannotator.runner import Ask, refuse_to_ask
from autoannotator.terminal import strip_controls
from graphs.state import Question


def choose_ask(display: Display, *, allowed: bool) -> Ask:
    """Return how questions are answered: at the terminal where there is one and it is allowed, else not at all."""
    if not (allowed and sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return refuse_to_ask

    def ask(question: Question) -> str:
        what, _, _ = strip_controls(question["text"]).partition("\n")
        with display.paused():
            answer = display.console.input(Text(f"{what}\n{_choose_prompt(question)}"))
        if question["asks"] == "go_on" and answer.strip().casefold() not in {"y", "yes"}:
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
        case "go_on":
            return "Go on all the same? [y/N] "
