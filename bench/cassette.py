"""A cassette: exchanges with a language model, kept as JSON lines, so that a measure can be made again without it.

Played back, they are put into a ledger, and a request whose reply is in the ledger is never sent. One that is not
there, because a prompt or a rule before it has changed since, is an error that says so.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.asking import Asker, ChatRequest, Completion
from records.errors import DataError, ReplyError
from records.folder import write_text
from records.ledger import Exchange, Ledger


class KeptExchange(Exchange):
    """One line: the request and what came back on it."""

    request: dict[str, Any]


@dataclass(frozen=True)
class _NoModel:
    """What stands where a model was: it knows its name and answers nothing."""

    name: str
    endpoint: str
    cassette: Path

    def complete(self, request: ChatRequest) -> Completion:
        raise ReplyError(
            f"the cassette {self.cassette.name} of {self.name} holds no answer to this request: prompts or rules have "
            "changed since it was recorded",
            next_step="Record it again: python -m bench.hub_cassette --llm openai:MODEL",
        )


@contextmanager
def play_back(path: Path) -> Iterator[Asker]:
    """Yield what answers as the cassette does; ReplyError on any other request. Raises DataError for a broken file."""
    kept = read_cassette(path)
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        with closing(ledger):
            for one in kept:
                ledger.record(one.request, Exchange(**one.model_dump(exclude={"request"})))
            yield Asker(_NoModel(kept[0].model, kept[0].endpoint, path), ledger)


def read_cassette(path: Path) -> list[KeptExchange]:
    """Return the exchanges, one or more. Raises DataError where a line is none."""
    try:
        kept = [KeptExchange.model_validate_json(line) for line in path.read_bytes().splitlines()]
    except ValidationError as error:
        raise DataError(
            str(path), f"holds a line that is no exchange: {error}", next_step="Record it again."
        ) from error
    if not kept:
        raise DataError(str(path), "holds no exchange", next_step="Record it again.")
    return kept


def keep_exchanges(ledger: Path, path: Path) -> int:
    """Write the exchanges of a ledger as a cassette, in their order, and return how many they are."""
    names = [*Exchange.model_fields, "request"]
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute(f"SELECT {', '.join(names)} FROM answers ORDER BY rowid").fetchall()  # noqa: S608
    kept = [dict(zip(names, row, strict=True)) for row in rows]
    lines = [json.dumps({**one, "request": json.loads(one["request"])}, ensure_ascii=False) for one in kept]
    write_text(path, "".join(f"{line}\n" for line in lines))
    return len(lines)
