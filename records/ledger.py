"""The ledger: every answer that was paid for or that a person gave, by the hash of its request."""

import hashlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from records.base import Record
from records.errors import RunFolderError
from records.events import now

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    request_hash TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    request TEXT NOT NULL,
    reply TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    created TEXT NOT NULL
) STRICT;
"""


class Answer(Record):
    """One answer: the raw reply to one request. `tokens_in` and `tokens_out` are as the endpoint counts them."""

    request_hash: str
    role: str
    model: str
    prompt_hash: str
    request: str
    reply: str
    tokens_in: int
    tokens_out: int
    created: str


class Spending(Record):
    """What one role has used so far."""

    role: str
    model: str
    requests: int
    tokens_in: int
    tokens_out: int


_COLUMNS = ", ".join(Answer.model_fields)
_FIND = f"SELECT {_COLUMNS} FROM answers WHERE request_hash = ?"  # noqa: S608 (names of our own fields)
_VALUES = ", ".join("?" * len(Answer.model_fields))
_INSERT = f"INSERT INTO answers ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (request_hash) DO NOTHING"  # noqa: S608


def hash_request(request: dict[str, Any]) -> str:
    """Return the sha256 of a request in canonical JSON."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _to_answer(row: tuple[Any, ...]) -> Answer:
    return Answer(**dict(zip(Answer.model_fields, row, strict=True)))


class Ledger:
    """Answers in a SQLite file, each on the disk before it is used. Safe to share between threads.

    Raises RunFolderError where the file is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise RunFolderError(
                f"{path} cannot be used as a ledger: {error}",
                next_step="Restore the file, or start a new run.",
            ) from error

    def find(self, request_hash: str) -> Answer | None:
        """Return the recorded answer to a request, or None."""
        with self._lock:
            row = self._connection.execute(_FIND, (request_hash,)).fetchone()
        return _to_answer(row) if row else None

    def record(
        self,
        request: dict[str, Any],
        reply: str,
        *,
        role: str,
        model: str,
        prompt_hash: str,
        tokens_in: int,
        tokens_out: int,
    ) -> Answer:
        """Write an answer down and return what the ledger holds: the first answer to a request stays."""
        answer = Answer(
            request_hash=hash_request(request),
            role=role,
            model=model,
            prompt_hash=prompt_hash,
            request=json.dumps(request, ensure_ascii=False),
            reply=reply,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            created=now(),
        )
        with self._lock, self._connection:
            self._connection.execute(_INSERT, tuple(answer.model_dump().values()))
            row = self._connection.execute(_FIND, (answer.request_hash,)).fetchone()
        return _to_answer(row)

    def spending(self) -> tuple[Spending, ...]:
        """Return what each role has used, in the order of their names."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT role, model, COUNT(*), SUM(tokens_in), SUM(tokens_out) FROM answers "
                "GROUP BY role, model ORDER BY role, model"
            ).fetchall()
        return tuple(
            Spending(role=role, model=model, requests=requests, tokens_in=t_in, tokens_out=t_out)
            for role, model, requests, t_in, t_out in rows
        )

    def close(self) -> None:
        self._connection.close()
