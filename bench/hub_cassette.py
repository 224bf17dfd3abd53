"""Records the cassette of `autoannotator-bench hub`: what a language model answers on the six held-out tasks.

    python -m bench.hub_cassette --llm openai:MODEL [--base-url URL] [--data DIR]

The endpoint is that of OPENAI_BASE_URL where no other is given, its key that of OPENAI_API_KEY.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from agents.target import Terms, describe_llm
from agents.team import make_asker
from bench.cassette import keep_exchanges
from bench.catalogue import CATALOGUE, read_marks, read_tasks
from bench.hub import CASSETTE, measure_llm, summarise_precision
from records.errors import AutoAnnotatorError, SettingsError
from records.ledger import Ledger

PATIENCE = 1700.0
"""Seconds for an answer: it may be a person who reads and writes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the cassette and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.hub_cassette", description=__doc__, allow_abbrev=False)
    parser.add_argument("--llm", required=True, metavar="openai:MODEL", help="the language model that is asked")
    parser.add_argument("--base-url", metavar="URL", help="its endpoint, instead of OPENAI_BASE_URL")
    parser.add_argument("--data", type=Path, metavar="DIR", default=CATALOGUE, help="the catalogue, and the cassette")
    options = parser.parse_args(arguments)
    if options.base_url:
        os.environ["OPENAI_BASE_URL"] = options.base_url
    try:
        print(record(options.llm, options.data))  # noqa: T201 (the program's output)
    except AutoAnnotatorError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_status
    return 0


def record(llm: str, folder: Path) -> str:
    """Ask the model about the held-out tasks, write the cassette, and return what was done in words.

    Raises SettingsError for a language model that is none, and as the agents do.
    """
    target = describe_llm(llm)
    if target is None:
        raise SettingsError("--llm offline is no language model to record", next_step="Give --llm openai:MODEL.")
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as scratch:
        path = Path(scratch) / "ledger.sqlite"
        with closing(Ledger(path)) as ledger:
            asker = make_asker(target, ledger, Terms(timeout=PATIENCE))
            results = measure_llm(folder, read_tasks(folder), read_marks(folder, "held_out"), asker)
        count = keep_exchanges(path, folder / CASSETTE)
    mean = summarise_precision("", results, None).value
    return f"{count} exchanges with {target.model} in {folder / CASSETTE}; mean precision {mean}"


if __name__ == "__main__":
    sys.exit(main())
