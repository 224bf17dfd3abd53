"""xlsx. Rows are streamed; the texts that the workbook shares between cells are held in memory, as in Excel."""

import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pyarrow as pa
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook

from records.errors import DataError
from records.readers.source import check_names, refuse_empty
from records.readers.values import ColumnTypes, to_batches, to_head

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    OSError,
    RuntimeError,
)
"""What openpyxl and zipfile raise on a damaged workbook (XML errors are SyntaxErrors, unknown or encrypted parts
RuntimeErrors)."""


class Spreadsheet:
    """One sheet of a workbook: its first row that is not empty is the header, formulas count by their saved value.

    Hidden and empty sheets do not count: a workbook with one other sheet needs no `sheet`. Empty rows above the last
    row are rows.
    """

    format: Literal["xlsx"] = "xlsx"
    encoding = None
    other_encoding = None

    def __init__(self, path: Path, sheet: str | None) -> None:
        self._path = path
        with path.open("rb") as stream:
            if stream.read(len(_OLE)) == _OLE:
                raise self._error("the workbook is encrypted, or in the old format of .xls")
        self.sheet: str = self._find_sheet(sheet)
        with closing(self._cells()) as cells:
            header = next(cells, None)
            if header is None:
                refuse_empty(path, f"the sheet {self.sheet!r} is empty")
        line, values = header
        self._names = [
            f"column_{position}" if value is None else str(value) for position, value in enumerate(values, start=1)
        ]
        check_names(path, self._names, f"sheet {self.sheet!r}, row {line}")

    def head(self, rows: int) -> pa.Table:
        return to_head(self._rows(), rows, self._names)

    def read_schema(self) -> pa.Schema:
        types = ColumnTypes(self._names)
        for row in self._rows():
            types.see(row)
        return types.schema()

    def batches(self, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        return to_batches(self._rows(), schema, rows)

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        cells = self._cells()
        above, _ = next(cells)
        for line, values in cells:
            if len(values) > len(self._names):
                raise self._error(
                    "the cell has a value, and its column no name in the header",
                    f"sheet {self.sheet!r}, cell {get_column_letter(len(values))}{line}",
                )
            yield from [{}] * (line - above - 1)
            above = line
            yield dict(zip(self._names, values, strict=False))

    def _cells(self) -> Generator[tuple[int, list[Any]]]:
        """Yield (row number, values up to the last cell that is not empty) for each row that is not empty."""
        with self._opened() as workbook:
            page = workbook[self.sheet]
            page.reset_dimensions()
            for line, row in enumerate(page.iter_rows(values_only=True), start=1):
                values = [None if value == "" else value for value in row]
                while values and values[-1] is None:
                    values.pop()
                if values:
                    yield line, values

    def _find_sheet(self, asked: str | None) -> str:
        with self._opened() as workbook:
            names = [page.title for page in workbook.worksheets]
            if asked is not None:
                if asked not in names:
                    raise self._error(f"there is no sheet {asked!r}", step=_name_sheets(names))
                return asked
            filled = list[str]()
            for page in workbook.worksheets:
                page.reset_dimensions()
                if page.sheet_state == "visible" and any(_has_value(row) for row in page.iter_rows(values_only=True)):
                    filled.append(page.title)
        if not filled:
            refuse_empty(self._path, "every visible sheet of the workbook is empty")
        if len(filled) > 1:
            raise self._error(f"the workbook has {len(filled)} sheets", step=_name_sheets(filled))
        return filled[0]

    @contextmanager
    def _opened(self) -> Generator[Workbook]:
        try:
            with warnings.catch_warnings():
                # Styles and validations that openpyxl does not know change no value.
                warnings.simplefilter("ignore", UserWarning)
                workbook = openpyxl.load_workbook(self._path, read_only=True, data_only=True)
            with closing(workbook):
                yield workbook
        except _BROKEN as error:
            raise self._error(f"the workbook is damaged, or no xlsx file ({error})") from error

    def _error(self, reason: str, place: str | None = None, step: str = "") -> DataError:
        step = step or "Open it in a spreadsheet program and save it as xlsx again."
        return DataError(str(self._path), reason, place=place, next_step=step)


def _has_value(row: tuple[Any, ...]) -> bool:
    return any(value not in (None, "") for value in row)


def _name_sheets(names: list[str]) -> str:
    return f"Name one with --sheet: {', '.join(map(repr, names))}."
