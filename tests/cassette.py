"""Kept exchanges with a language model: a server's script that repeats them, and how they are kept.

    python -m tests.cassette RUN/ledger.sqlite tests/cassettes/NAME.jsonl

keeps what a run asked and was answered. A request is known by its model and its messages, letter for letter: a prompt
that changes needs the run once more, with somebody or something that answers.
"""

import hashlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.llm_server import Answer, Refusal, Script, read_role

CASSETTES = Path(__file__).parent / "cassettes"


def key_of(model: str, messages: list[dict[str, Any]]) -> str:
    """Return the sha256 of what decides an answer."""
    return hashlib.sha256(json.dumps([model, messages], sort_keys=True).encode()).hexdigest()


def read_cassette(path: Path) -> list[dict[str, Any]]:
    """Return the exchanges: `role`, `model`, `messages` and `reply`, in their order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def replay(path: Path) -> Script:
    """Return a script that answers as the cassette does, and refuses what it does not hold."""
    known = {key_of(one["model"], one["messages"]): one["reply"] for one in read_cassette(path)}

    def answer(request: dict[str, Any]) -> Answer:
        reply = known.get(key_of(request["model"], request["messages"]))
        if reply is not None:
            return reply
        # 404 is what no client repeats in another form, so that the miss is the error that is seen.
        what = f"the cassette {path.name} holds no such request of the {read_role(request)}: record it again"
        return Refusal(404, json.dumps({"error": {"message": what}}))

    return answer


def keep_exchanges(ledger: Path, path: Path) -> None:
    """Write the exchanges of a run's ledger as a cassette, one a line."""
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("SELECT role, request, reply FROM answers ORDER BY rowid").fetchall()
    lines = []
    for role, text, reply in rows:
        request = json.loads(text)
        one = {"role": role, "model": request["model"], "messages": request["messages"], "reply": reply}
        lines.append(json.dumps(one, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    keep_exchanges(Path(sys.argv[1]), Path(sys.argv[2]))
