"""A scripted team for whole runs on the tiny hub: it answers every role; its labels are the made-up gold labels."""

import json
import re
from typing import Any

from tests.llm_server import answer_rows, read_role
from tests.tiny_hub import GOOD


def label_of(text: str) -> str:
    """Return the label that a made-up sentence was made for."""
    return "positive" if set(re.findall(r"[a-z]+", text.lower())) & set(GOOD) else "negative"


def play_team(request: dict[str, Any]) -> str:
    """Return the reply of whichever role is asked."""
    return ROLES[read_role(request)](request)


def _content(request: dict[str, Any]) -> str:
    return request["messages"][1]["content"]


def _json_lines(request: dict[str, Any], key: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in _content(request).splitlines() if line.startswith("{")]
    return [line for line in lines if key in line]


def _analyse(request: dict[str, Any]) -> str:
    if "Which searches" in _content(request):
        return json.dumps({"queries": ["sentiment"]})
    labels = [{"name": name, "definition": "", "example": ""} for name in ("positive", "negative")]
    told = {"labels": labels, "text_columns": ["text"], "language": "en", "family": "sentiment analysis"}
    return json.dumps({**told, "guidelines": "", "question": None})


def _select(request: dict[str, Any]) -> str:
    choices = [{"id": one["id"], "use": True, "reason": "fits"} for one in _json_lines(request, "id")]
    return json.dumps({"choices": choices})


def _write_code(request: dict[str, Any]) -> str:
    classes = next(one["classes"] for one in _json_lines(request, "classes"))
    found = {index: "positive" if name.lower().startswith("pos") else "negative" for index, name in classes.items()}
    parts = json.dumps({"classes": found, "reason": "by the classes' names"})
    return f"```json\n{parts}\n```\n```python\ndef preprocess(text: str) -> str:\n    return text.strip()\n```"


def _criticise(request: dict[str, Any]) -> str:
    return json.dumps({"approved": True, "reasons": []})


def _review(request: dict[str, Any]) -> str:
    return answer_rows(request, label_of)


ROLES = {
    "analyst": _analyse,
    "selector": _select,
    "coder": _write_code,
    "critic": _criticise,
    "reviewer": _review,
}
