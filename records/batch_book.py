"""The batches of a run: which requests went into which, written down before one is submitted."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from records.base import Record
from records.events import now
from records.ledger import OPEN_CHARGE, Ledger

_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    key TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    batch_id TEXT,
    closed TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS batched (
    request_hash TEXT NOT NULL PRIMARY KEY,
    batch TEXT NOT NULL,
    request TEXT NOT NULL,
    body TEXT NOT NULL,
    sampling TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    stage INTEGER,
    charge INTEGER,
    usd REAL
) STRICT;
"""


class BatchedRequest(Record):
    """One request of a batch: as the ledger knows it, and the body that is sent, both as JSON.

    `usd` is what it costs at most; it and `charge`, the ledger's number, are None where there is no budget.
    """

    request_hash: str
    request: str
    body: str
    sampling: str
    prompt_hash: str
    role: str
    stage: int | None
    charge: int | None = None
    usd: float | None = None

    def read_request(self) -> dict[str, Any]:
        return json.loads(self.request)


class OpenBatch(Record):
    """A batch whose answers are not in the ledger yet.

    `key` is our own name for it, which the endpoint is told; `batch_id` the endpoint's; None: it may not have got it.
    """

    key: str
    batch_id: str | None
    requests: tuple[BatchedRequest, ...]


_COLUMNS = ", ".join(BatchedRequest.model_fields)
_VALUES = ", ".join("?" * (len(BatchedRequest.model_fields) + 1))
_INSERT = f"INSERT INTO batched ({_COLUMNS}, batch) VALUES ({_VALUES})"  # noqa: S608 (names of our own fields)
_REQUESTS = f"SELECT {_COLUMNS} FROM batched WHERE batch = ? ORDER BY rowid"  # noqa: S608
_FORGET = (
    "DELETE FROM charges WHERE id IN (SELECT charge FROM batched WHERE batch = ?)",
    "DELETE FROM batched WHERE batch = ?",
    "DELETE FROM batches WHERE key = ?",
)


class BatchBook:
    """The batches in a ledger's file. Safe to share between threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._lock, self._connection = ledger.lock, ledger.connection
        with self._lock, self._connection:
            self._connection.executescript(_TABLES)

    def open(self, endpoint: str, model: str, requests: Sequence[BatchedRequest]) -> OpenBatch:
        """Write a batch down before it is submitted, with a charge for each request that has a price, and return it."""
        key = uuid.uuid4().hex
        written: list[BatchedRequest] = []
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO batches (key, endpoint, model) VALUES (?, ?, ?)", (key, endpoint, model)
            )
            for one in requests:
                values = (one.role, one.stage, model, one.usd, now())
                charge = None if one.usd is None else self._connection.execute(OPEN_CHARGE, values).lastrowid
                kept = one.model_copy(update={"charge": charge})
                self._connection.execute(_INSERT, (*kept.model_dump().values(), key))
                written.append(kept)
        return OpenBatch(key=key, batch_id=None, requests=tuple(written))

    def note_submitted(self, batch: OpenBatch, batch_id: str) -> OpenBatch:
        """Write down what the endpoint calls it."""
        with self._lock, self._connection:
            self._connection.execute("UPDATE batches SET batch_id = ? WHERE key = ?", (batch_id, batch.key))
        return batch.model_copy(update={"batch_id": batch_id})

    def list_open(self, endpoint: str, model: str) -> tuple[OpenBatch, ...]:
        """Return the batches whose answers are not recorded yet, the oldest first."""
        with self._lock:
            found = self._connection.execute(
                "SELECT key, batch_id FROM batches WHERE closed IS NULL AND endpoint = ? AND model = ? ORDER BY rowid",
                (endpoint, model),
            ).fetchall()
            requests = [self._connection.execute(_REQUESTS, (key,)).fetchall() for key, _ in found]
        return tuple(
            OpenBatch(key=key, batch_id=batch_id, requests=tuple(map(_to_request, rows)))
            for (key, batch_id), rows in zip(found, requests, strict=True)
        )

    def was_batched(self, request_hash: str) -> bool:
        """Return whether a request has been in a batch: it is not put into another."""
        with self._lock:
            found = self._connection.execute("SELECT 1 FROM batched WHERE request_hash = ?", (request_hash,)).fetchone()
        return found is not None

    def close(self, batch: OpenBatch) -> None:
        """Note that all that will ever come of a batch is in the ledger."""
        with self._lock, self._connection:
            self._connection.execute("UPDATE batches SET closed = ? WHERE key = ?", (now(), batch.key))

    def forget(self, batch: OpenBatch) -> None:
        """Forget a batch that never was, and its charges."""
        with self._lock, self._connection:
            for statement in _FORGET:
                self._connection.execute(statement, (batch.key,))


def _to_request(row: tuple[Any, ...]) -> BatchedRequest:
    return BatchedRequest(**dict(zip(BatchedRequest.model_fields, row, strict=True)))
