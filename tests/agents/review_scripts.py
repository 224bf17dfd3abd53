"""What a scripted reviewer reads in a request and writes in a reply."""

import json
from collections.abc import Sequence
from typing import Any

from agents.base import ReviewRow


def label_of(text: str) -> str:
    return "Positive" if "good" in text else "Negative"


def make_rows(*texts: str, first: int = 100) -> tuple[ReviewRow, ...]:
    return tuple(ReviewRow(row=first + place, text=text) for place, text in enumerate(texts))


def read_lines(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of JSON that a request holds: labels, examples, rows and the form of the reply."""
    lines = request["messages"][1]["content"].splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def read_asked(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that are asked about."""
    return [line for line in read_lines(request) if "id" in line]


def read_shown(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that are shown as examples."""
    return [line for line in read_lines(request) if "id" not in line and ("text" in line or "text_a" in line)]


def answer(key: str, label: str = "Positive", **fields: Any) -> dict[str, Any]:
    return {"id": key, "label": label, "sure": 0.8, **fields}


def reply(answers: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"answers": list(answers)})


def give_answers(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a right answer for every row that is asked about."""
    return [answer(row["id"], label_of(row["text"])) for row in read_asked(request)]
