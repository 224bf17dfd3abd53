"""Parses files that untrusted programs wrote. A script of its own, so that what a file does to its parser stays here.

Reads one JSON object a line (`path`, `format`, `limit` in bytes) and writes one for each (`error`, empty where the file
is of its format and decodes to no more than `limit`). Its address space is limited; where a parser runs into that, the
file is unfit.
"""

import codecs
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BASE_MEMORY = 2**31
"""Bytes of address space for the interpreter and the libraries."""
ROWS = 1024
LONGEST_REASON = 300


class TooLarge(Exception):
    """The file decodes to more than it may."""


def parse_parquet(path: Path, limit: int) -> None:
    """Decode every column, a few rows at a time. A dictionary is refused: it would grow with the rows that name it."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - 0.2 seconds that the other formats do not need

    decoded = 0
    with pq.ParquetFile(path) as file:
        if held := sorted(one.name for one in file.schema_arrow if holds_dictionary(one.type)):
            raise ValueError(f"the columns {held} are dictionaries")
        for batch in file.iter_batches(ROWS, use_threads=False):
            batch.validate(full=True)
            decoded += batch.nbytes
            if decoded > limit:
                raise TooLarge


def holds_dictionary(kind: "pa.DataType") -> bool:
    """Whether a type is a dictionary, or has one inside."""
    import pyarrow as pa  # noqa: PLC0415

    inside = [kind.field(number).type for number in range(kind.num_fields)]
    return pa.types.is_dictionary(kind) or any(holds_dictionary(one) for one in inside)


def parse_safetensors(path: Path, limit: int) -> None:
    """Read the header: every tensor lies in the file, none over another, and nothing is between them."""
    from safetensors import safe_open  # noqa: PLC0415 - as above

    with safe_open(path, framework="np") as file:
        if not file.keys():
            raise ValueError("it holds no tensor")


def parse_json(path: Path, limit: int) -> None:
    """Parse it whole."""
    json.loads(path.read_bytes())


def parse_text(path: Path, limit: int) -> None:
    """Decode it as UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            decoder.decode(chunk)
    decoder.decode(b"", final=True)


PARSERS: dict[str, Callable[[Path, int], None]] = {
    "parquet": parse_parquet,
    "safetensors": parse_safetensors,
    "json": parse_json,
    "text": parse_text,
}


def inspect(path: Path, format_name: str, limit: int) -> str:
    """Return what is wrong with a file; nothing where it is fit."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (BASE_MEMORY + 2 * limit, hard))
    try:
        PARSERS[format_name](path, limit)
    except (TooLarge, MemoryError):
        return f"it decodes to more than {limit} bytes, the most allowed"
    except Exception as error:  # noqa: BLE001 - whatever a parser makes of a hostile file
        return f"it is no {format_name} ({type(error).__name__}: {error})"[:LONGEST_REASON]
    return ""


def main() -> None:
    """Answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        request = json.loads(line)
        error = inspect(Path(request["path"]), request["format"], request["limit"])
        sys.stdout.write(json.dumps({"error": error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
