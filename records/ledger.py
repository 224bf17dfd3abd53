"""The ledger: every answer that was paid for or that a person gave, by the hash of its request, and every charge that
may have been made without one."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from records.base import Record
from records.errors import RunFolderError
from records.events import now

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    request_hash TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    stage INTEGER,
    model TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    request TEXT NOT NULL,
    sampling TEXT NOT NULL,
    reply TEXT NOT NULL,
    finish TEXT NOT NULL,
    logprobs TEXT,
    tokens_in INTEGER,
    tokens_out INTEGER,
    usd REAL,
    latency REAL NOT NULL,
    attempt INTEGER NOT NULL,
    created TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS endpoints (
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    PRIMARY KEY (endpoint, model)
) STRICT;
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL,
    stage INTEGER,
    model TEXT NOT NULL,
    usd REAL NOT NULL,
    request_hash TEXT,
    created TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kept (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    usd REAL NOT NULL
) STRICT;
"""


class Exchange(Record):
    """What came back on one request, and how: all that is known of it but the request itself."""

    role: str
    stage: int | None = None
    """The stage of the run that it was asked for, from 0; None: before the stages."""
    model: str
    endpoint: str
    """The base URL, without a name or a password."""
    prompt_hash: str
    sampling: str
    """What was sent beside the messages, as JSON: temperature, response format, log-probabilities."""
    reply: str
    """The raw reply."""
    finish: str
    """Why it ended, in the endpoint's word (`stop`, `length`), or `refusal`: then the reply is the refusal's text."""
    logprobs: str | None
    """The reply's tokens as JSON, [[text, log-probability], …]; None where the endpoint gave none."""
    tokens_in: int | None
    tokens_out: int | None
    """As the endpoint counts them; None where it does not."""
    usd: float | None
    """None where the price is not known."""
    latency: float
    """Seconds from sending to the whole reply, waits before and failed tries not counted."""
    attempt: int
    """At which try the endpoint answered, from 1."""


class Answer(Exchange):
    """One answer: a request, as JSON, and what came back."""

    request_hash: str
    request: str
    created: str


class Spending(Record):
    """What one role has asked of one model for one stage. Sums are None where one of their figures is not known."""

    role: str
    stage: int | None
    model: str
    requests: int
    """Those that were answered."""
    tokens_in: int | None
    tokens_out: int | None
    usd: float | None
    unanswered: int
    """Requests that were sent under a budget and got no answer: they may have been charged."""
    reserved_usd: float
    """What those, and answers whose tokens were not counted, have cost at most."""


LimitName = Literal["max_tokens", "max_completion_tokens"]
"""What endpoints call the most tokens of a reply."""


class Capabilities(Record):
    """What an endpoint takes with one model; None: not tried yet."""

    format: Literal["json_schema", "json_object", "none"] | None = None
    """The strictest response format."""
    logprobs: bool | None = None
    temperature: bool | None = None
    limit: LimitName | None = None
    """How it has the most tokens of a reply."""
    most_tokens: int | None = None
    """The largest such number that it takes, where it refused a larger one."""


_COLUMNS = ", ".join(Answer.model_fields)
_FIND = f"SELECT {_COLUMNS} FROM answers WHERE request_hash = ?"  # noqa: S608 (names of our own fields)
_NEXT = f"SELECT rowid, {_COLUMNS} FROM answers WHERE role = ? AND rowid > ? ORDER BY rowid LIMIT 1"  # noqa: S608
_VALUES = ", ".join("?" * len(Answer.model_fields))
_INSERT = f"INSERT INTO answers ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (request_hash) DO NOTHING"  # noqa: S608
_SPENDING = """
SELECT role, stage, model, SUM(answered),
    IIF(COUNT(tokens_in) = COUNT(*), SUM(tokens_in), NULL),
    IIF(COUNT(tokens_out) = COUNT(*), SUM(tokens_out), NULL),
    IIF(COUNT(usd) = COUNT(*), SUM(usd), NULL),
    SUM(unanswered), SUM(reserved)
FROM (
    SELECT role, stage, model, 1 AS answered, tokens_in, tokens_out, usd, 0 AS unanswered, 0.0 AS reserved FROM answers
    UNION ALL
    SELECT role, stage, model, 0, 0, 0, 0.0, request_hash IS NULL, usd FROM charges
)
GROUP BY role, stage, model ORDER BY role, stage, model
"""
_MEASURED = """
SELECT COUNT(tokens_out), MAX(tokens_out) FROM answers WHERE role = ? AND (stage IS NULL OR stage < ?)
"""
_SPENT = "SELECT (SELECT TOTAL(usd) FROM answers) + (SELECT TOTAL(usd) FROM charges)"
_UNPRICED = """
SELECT COUNT(*) FROM answers
WHERE usd IS NULL AND request_hash NOT IN (SELECT request_hash FROM charges WHERE request_hash IS NOT NULL)
"""
OPEN_CHARGE = "INSERT INTO charges (role, stage, model, usd, created) VALUES (?, ?, ?, ?, ?)"


def hash_request(request: dict[str, Any]) -> str:
    """Return the sha256 of a request in canonical JSON."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _to_answer(row: tuple[Any, ...]) -> Answer:
    return Answer(**dict(zip(Answer.model_fields, row, strict=True)))


class Ledger:
    """Answers in a SQLite file, each on the disk before it is used. Safe to share between threads.

    Raises RunFolderError where the file is no ledger, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        """Held by whoever uses the connection."""
        self.connection = sqlite3.connect(path, check_same_thread=False)
        try:
            self.connection.execute("PRAGMA synchronous=FULL")
            self.connection.executescript(_TABLES)
            columns = {name for _, name, *_ in self.connection.execute("PRAGMA table_info(answers)")}
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise RunFolderError(
                f"{path} cannot be used as a ledger: {error}",
                next_step="Restore the file, or start a new run.",
            ) from error
        if columns != set(Answer.model_fields):
            self.connection.close()
            odd = ", ".join(sorted(columns ^ set(Answer.model_fields)))
            raise RunFolderError(
                f"{path} is the ledger of another version of this program: it differs in {odd}",
                next_step="Finish the run with the version that began it, or start a new run.",
            )

    def find(self, request_hash: str) -> Answer | None:
        """Return the recorded answer to a request, or None."""
        with self.lock:
            row = self.connection.execute(_FIND, (request_hash,)).fetchone()
        return _to_answer(row) if row else None

    def record(self, request: dict[str, Any], exchange: Exchange, charge: int | None = None) -> Answer:
        """Write an answer down and return what the ledger holds: the first answer to a request stays.

        `charge` is what was opened for it: the answer's price takes its place, in one transaction. It stays where the
        price is not known, and, with the price, where another answer was first.
        """
        answer = Answer(
            **exchange.model_dump(),
            request_hash=hash_request(request),
            request=json.dumps(request, ensure_ascii=False),
            created=now(),
        )
        values = tuple(getattr(answer, name) for name in Answer.model_fields)
        with self.lock, self.connection:
            is_first = self.connection.execute(_INSERT, values).rowcount == 1
            if charge is not None:
                self._settle(charge, answer, is_first)
            row = self.connection.execute(_FIND, (answer.request_hash,)).fetchone()
        return _to_answer(row)

    def _settle(self, charge: int, answer: Answer, is_first: bool) -> None:
        if is_first and answer.usd is not None:
            self.connection.execute("DELETE FROM charges WHERE id = ?", (charge,))
        else:
            self.connection.execute(
                "UPDATE charges SET request_hash = ?, usd = COALESCE(?, usd) WHERE id = ?",
                (answer.request_hash, answer.usd, charge),
            )

    def open_charge(self, role: str, stage: int | None, model: str, usd: float) -> int:
        """Write down, before a request is sent, what it costs at most, and return the charge's number.

        It counts as spent until an answer takes its place, or it is struck out: also after a kill.
        """
        with self.lock, self.connection:
            number = self.connection.execute(OPEN_CHARGE, (role, stage, model, usd, now())).lastrowid
        if number is None:
            raise RuntimeError("SQLite gives every new row a number")
        return number

    def strike_charge(self, number: int) -> None:
        """Forget a charge that was not made: the endpoint refused the request, or never had it."""
        with self.lock, self.connection:
            self.connection.execute("DELETE FROM charges WHERE id = ?", (number,))

    def keep_back(self, usd: float) -> None:
        """Write down what of a budget is kept back from now on for what comes later; 0: nothing."""
        with self.lock, self.connection:
            self.connection.execute("INSERT OR REPLACE INTO kept VALUES (1, ?)", (usd,))

    def read_kept(self) -> float:
        """Return the USD of a budget that are kept back."""
        with self.lock:
            row = self.connection.execute("SELECT usd FROM kept").fetchone()
        return float(row[0]) if row else 0.0

    def measure_replies(self, role: str, before_stage: int | None) -> tuple[int, int]:
        """Return how many replies to a role have their tokens counted, and the most tokens that one of them has: of
        those that were asked for before a stage, (0, 0) before the first."""
        if before_stage is None:
            return 0, 0
        with self.lock:
            counted, most = self.connection.execute(_MEASURED, (role, before_stage)).fetchone()
        return int(counted), int(most or 0)

    def find_capabilities(self, endpoint: str, model: str) -> Capabilities | None:
        """Return what an endpoint is known to take with a model; None where it has never answered."""
        with self.lock:
            row = self.connection.execute(
                "SELECT capabilities FROM endpoints WHERE endpoint = ? AND model = ?", (endpoint, model)
            ).fetchone()
        return Capabilities.model_validate_json(row[0]) if row else None

    def record_capabilities(self, endpoint: str, model: str, capabilities: Capabilities) -> None:
        """Write down what an endpoint takes with a model; the last word stays."""
        with self.lock, self.connection:
            self.connection.execute(
                "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?)", (endpoint, model, capabilities.model_dump_json())
            )

    def spending(self) -> tuple[Spending, ...]:
        """Return what each role has used for each stage, in the order of their names and the stages."""
        with self.lock:
            rows = self.connection.execute(_SPENDING).fetchall()
        return tuple(Spending(**dict(zip(Spending.model_fields, row, strict=True))) for row in rows)

    def read_answers(self, role: str) -> Iterator[Answer]:
        """Yield the answers to one role, in the order in which they came."""
        last = 0
        while True:
            with self.lock:
                found = self.connection.execute(_NEXT, (role, last)).fetchone()
            if found is None:
                return
            last, *row = found
            yield _to_answer(tuple(row))

    def sum_spent(self) -> float:
        """Return the USD spent so far; what may have been charged counts."""
        with self.lock:
            return float(self.connection.execute(_SPENT).fetchone()[0])

    def count_unpriced(self) -> int:
        """Return how many answers have cost nobody knows how much."""
        with self.lock:
            return int(self.connection.execute(_UNPRICED).fetchone()[0])

    def close(self) -> None:
        self.connection.close()
