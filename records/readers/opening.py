"""From a path to the reader of its format."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from records.errors import DataError
from records.readers.columnar import Parquet
from records.readers.delimited import Delimited, TextLines
from records.readers.source import Source, refuse_empty
from records.readers.spreadsheet import Spreadsheet
from records.readers.structured import Json, JsonLines

FORMATS = ("csv", "tsv", "txt", "json", "jsonl", "xlsx", "parquet")


def open_source(path: Path, sheet: str | None = None) -> Source:
    """Open a data file by its extension; `sheet` picks one of an xlsx workbook.

    Raises DataError for a file that is missing, unreadable, empty, of another format or not what its extension says,
    and for a `sheet` where there are none.
    """
    kind = path.suffix.removeprefix(".").casefold()
    _check_file(path, kind)
    if sheet is not None and kind != "xlsx":
        raise DataError(str(path), f"a {kind} file has no sheets", next_step="Leave --sheet out.")
    match kind:
        case "csv" | "tsv":
            return Delimited(path, kind)
        case "txt":
            return TextLines(path)
        case "json":
            return Json(path)
        case "jsonl":
            return JsonLines(path)
        case "xlsx":
            return Spreadsheet(path, sheet)
        case _:
            return Parquet(path)


def _check_file(path: Path, kind: str) -> None:
    try:
        with path.open("rb") as stream:
            has_bytes = bool(stream.read(1))
    except OSError as error:
        reason = "it is a folder, not a file" if path.is_dir() else f"it cannot be read: {error.strerror or error}"
        raise DataError(str(path), reason, next_step="Check the path and your right to read it.") from error
    if kind not in FORMATS:
        step = "Save it as xlsx." if kind == "xls" else f"Save it as one of {', '.join(FORMATS)}."
        raise DataError(str(path), f"its format is not known by its extension {path.suffix!r}", next_step=step)
    if not has_bytes:
        refuse_empty(path)


def find_column(path: Path, name: str, names: Iterable[str]) -> str:
    """Return `name` where it is one of `names`. Raises DataError with the columns and the likeliest one meant."""
    names = list(names)
    if name in names:
        return name
    folded = {other.strip().casefold(): other for other in names}
    near = difflib.get_close_matches(name.strip().casefold(), folded, n=1)
    meant = f" Did you mean {folded[near[0]]!r}?" if near else ""
    raise DataError(
        str(path),
        f"there is no column {name!r}.{meant}",
        next_step=f"The columns are: {', '.join(map(repr, names))}.",
    )
