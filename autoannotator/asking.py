"""Questions to the person at the terminal."""

import sys

from autoannotator.display import Display
from autoannotator.runner import Ask, refuse_to_ask
from graphs.state import Question


def choose_ask(display: Display, *, allowed: bool) -> Ask:
    """Return how questions are answered: at the terminal where there is one and it is allowed, else not at all."""
    if not (allowed and sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return refuse_to_ask

    def ask(question: Question) -> list[str]:
        what, _, _ = question["text"].partition("\n")
        prompt = "Labels, separated by commas: " if question["asks"] == "labels" else "Text column: "
        with display.paused():
            answer = display.console.input(f"{what}\n{prompt}", markup=False)
        values = [part.strip() for part in answer.split(",") if part.strip()]
        return values or refuse_to_ask(question)

    return ask
