"""Bad data files: each is refused with the file, the place, the reason and a next step, and nothing is written."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.errors import DataError
from records.readers.importing import import_rows
from records.readers.inspection import inspect_file


def refuse(path: Path, text: str = "text", **options: Any) -> DataError:
    """Import a file that must be refused, and return the refusal."""
    target = path.parent / "run" / "input.parquet"
    with pytest.raises(DataError) as caught:
        import_rows(path, target, text_columns=[text], shard_size=2, **options)
    assert not target.exists()
    assert not target.parent.exists() or not any(target.parent.iterdir())
    assert caught.value.file == str(path)
    assert caught.value.exit_status == 2
    assert caught.value.next_step
    return caught.value


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_sheets(path: Path, **sheets: list[list[Any]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, table in sheets.items():
        page = workbook.create_sheet(name)
        for line in table:
            page.append(line)
    workbook.save(path)
    return path


EMPTY: dict[str, str | bytes] = {
    "nothing.csv": "", "nothing.tsv": "", "nothing.txt": "", "nothing.json": "", "nothing.jsonl": "",
    "nothing.xlsx": "", "nothing.parquet": "",
    "mark.csv": b"\xef\xbb\xbf", "blank.csv": "\n\n", "blank.json": "  \n", "blank.jsonl": "\n \n",
    "header.csv": "id,text\n", "header.tsv": "id\ttext\n", "array.json": "[]", "columns.json": '{"text": []}',
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_a_file_without_rows(name, tmp_path):
    path = write(tmp_path / name, EMPTY[name])
    with pytest.raises(DataError):
        inspect_file(path)
    refuse(path)


def test_a_spreadsheet_and_a_parquet_without_rows(tmp_path):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert "no rows" in refuse(tmp_path / "a.parquet").reason
    assert "no rows" in refuse(write_sheets(tmp_path / "a.xlsx", one=[["text"]])).reason
    assert "is empty" in refuse(write_sheets(tmp_path / "b.xlsx", one=[])).reason


def test_rows_without_a_single_text(tmp_path):
    assert "blanks" in refuse(write(tmp_path / "a.csv", "text,n\n,1\n  ,2\n")).reason
    assert "blanks" in refuse(write(tmp_path / "a.txt", "\n\n")).reason


def test_a_missing_column_is_named_with_the_likeliest_one_meant(tmp_path):
    error = refuse(write(tmp_path / "a.csv", "id, Tweet ,stars\n1,hello,2\n"), text="tweets")
    assert error.reason == "there is no column 'tweets'. Did you mean ' Tweet '?"
    assert error.next_step == "The columns are: 'id', ' Tweet ', 'stars'."
    assert "Did you mean" not in refuse(tmp_path / "a.csv", text="zzz").reason
    assert "'uid'" in refuse(tmp_path / "a.csv", text=" Tweet ", id_column="uid").reason


NOT_TEXT: dict[str, list[Any]] = {
    "integers": ["1", "-20", "007", "", "NA"],
    "numbers": ["1.5", "1,000.25", "$ 3", "40 %", "1e-7", "(12)", "12 000,5"],
    "dates": ["2024-05-01", "1.5.2024", "5/1/24", "2024-05-01T13:30:00.5Z", "2024-05-01 1:30 PM", "13:30"],
    "json": ['{"a": 1}', '["x", "y"]', "[]"],
}


@pytest.mark.parametrize("name", NOT_TEXT)
def test_a_column_that_is_not_text(name, tmp_path):
    pq.write_table(pa.table({"text": NOT_TEXT[name], "say": ["hello"] * len(NOT_TEXT[name])}), tmp_path / "a.parquet")
    error = refuse(tmp_path / "a.parquet")
    assert error.place == "column 'text'"
    assert "numbers, dates, JSON and blanks" in error.reason
    assert inspect_file(tmp_path / "a.parquet").text_columns == ("say",)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "int64"),
        ([1.5, None], "double"),
        ([True], "bool"),
        ([b"x"], "binary"),
        ([["a"]], "list<element: string>"),
    ],
)
def test_a_column_of_a_type_that_is_not_text(values, kind, tmp_path):
    pq.write_table(pa.table({"text": values}), tmp_path / "a.parquet")
    assert refuse(tmp_path / "a.parquet").reason == f"the column is not text: its type is {kind}"


def test_one_text_late_in_the_column_is_enough(tmp_path):
    path = write(tmp_path / "a.csv", "text\n" + "2024\n" * 3000 + "a text\n")
    assert import_rows(path, tmp_path / "o.parquet", text_columns=["text"], shard_size=100).rows == 3001


def test_a_row_with_more_or_fewer_fields_than_the_header(tmp_path):
    error = refuse(write(tmp_path / "a.csv", 'id,text\n1,"two\nlines"\n2,one,two\n'))
    assert error.place == "row 2 (line 4)"
    assert error.reason == "the row has 3 fields, the header 2 (id, text)"
    error = refuse(write(tmp_path / "a.tsv", "id\ttext\n1\tone\n2\n"))
    assert (error.place, error.reason.split(",")[0]) == ("row 2 (line 3)", "the row has 1 fields")


@pytest.mark.parametrize("content", ['id,text\n1,"one\n2,two\n', 'id,text\n1,"one" two\n', "id,text\n1,a\rb\n2,two\n"])
def test_quotes_and_line_ends_that_do_not_match(content, tmp_path):
    error = refuse(write(tmp_path / "a.csv", content))
    assert error.place == "the row that begins in line 2"
    assert "quote" in error.next_step


def test_a_quote_that_swallows_the_file_is_found_before_the_memory_is_full(tmp_path):
    path = write(tmp_path / "a.csv", 'id,text\n1,"open\n' + "2,closed\n" * 2_000_000)
    assert "field larger than field limit" in refuse(path).reason


def test_columns_with_one_name(tmp_path):
    error = refuse(write(tmp_path / "a.csv", "text,n,text,n\na,1,b,2\n"))
    assert (error.place, "'text', 'n'" in error.reason) == ("line 1", True)
    assert "'text'" in refuse(write_sheets(tmp_path / "a.xlsx", one=[["text", "text"], ["a", "b"]])).reason
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert "'text'" in refuse(tmp_path / "a.parquet").reason


@pytest.mark.parametrize("kind", ["csv", "txt", "jsonl"])
def test_a_line_that_no_encoding_fits(kind, tmp_path):
    error = refuse(write(tmp_path / f"a.{kind}", b'"text"\n"one"\n"caf\xe9 \x81"\n'))
    assert (error.place, error.reason) == ("line 3", "the line is neither UTF-8 nor cp1252")


def test_nul_characters_and_utf16_without_a_mark(tmp_path):
    assert refuse(write(tmp_path / "a.csv", b"text,n\none,1\nt\0wo,2\n")).place == "line 3"
    assert "UTF-16" in refuse(write(tmp_path / "a.txt", "some text\n".encode("utf-16-le"))).reason


def test_utf16_that_is_cut_short(tmp_path):
    error = refuse(write(tmp_path / "a.txt", "one\ntwo\n".encode("utf-16")[:-1]))
    assert "not valid UTF-16" in error.reason


def test_a_broken_line_of_jsonl(tmp_path):
    error = refuse(write(tmp_path / "a.jsonl", '{"text": "one"}\n\n{"text": "two"\n'))
    assert error.place == "line 3"
    assert "not valid JSON" in error.reason
    assert refuse(write(tmp_path / "b.jsonl", '{"text": "one"}\n[1, 2]\n')).place == "line 2"
    assert "not valid JSON" in refuse(write(tmp_path / "c.jsonl", "[" * 100_000)).reason


BROKEN_JSON: dict[str, tuple[str | bytes, str | None]] = {
    "truncated": ('[{"text": "one"}, {"text": "tw', "after row 1"),
    "columns cut": ('{"text": ["one", "two"', None),
    "no comma": ('[{"text": "one"} {"text": "two"}]', "after row 1"),
    "two documents": ('["one"] ["two"]', "after row 1"),
    "not utf-8": (b'["one", "caf\xe9"]', "after row 1"),
    "bare value": ("7", None),
    "bare row": ('["one", 7]', "row 2"),
    "no columns": ('{"text": "one"}', None),
    "a column twice": ('{"text": ["one"], "text": ["two"]}', None),
    "uneven columns": ('{"text": ["one", "two"], "n": [1]}', "row 2"),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json(name, tmp_path):
    content, place = BROKEN_JSON[name]
    error = refuse(write(tmp_path / "a.json", content))
    assert error.place == place
    assert "\n" not in error.reason


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_parquet_file(share, tmp_path):
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(5000)]}), whole)
    content = whole.read_bytes()
    error = refuse(write(tmp_path / "a.parquet", content[: int(len(content) * share)]))
    assert "cut short, damaged, or no Parquet file" in error.reason


def test_a_parquet_file_with_a_damaged_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {n}" * 20 for n in range(100)]}), path, row_group_size=50)
    content = bytearray(path.read_bytes())
    begin = pq.read_metadata(path).row_group(1).column(0).dictionary_page_offset
    content[begin : begin + 200] = b"\xff" * 200
    error = refuse(write(path, bytes(content)))
    assert error.place == "after row 50"


def test_strings_of_parquet_that_are_not_utf8(tmp_path):
    pq.write_table(pa.table({"text": pa.array([b"fine", b"caf\xe9"]).view(pa.string())}), tmp_path / "a.parquet")
    assert "UTF8" in refuse(tmp_path / "a.parquet").reason


def test_two_sheets_and_none_named(tmp_path):
    table = [["text"], ["hello"]]
    path = write_sheets(tmp_path / "a.xlsx", **{"May": table, "June": table})
    with pytest.raises(DataError, match="2 sheets"):
        inspect_file(path)
    error = refuse(path)
    assert (error.reason, error.next_step) == ("the workbook has 2 sheets", "Name one with --sheet: 'May', 'June'.")
    assert "'May', 'June'" in refuse(path, sheet="Juni").next_step


def test_a_cell_beside_the_header(tmp_path):
    path = write_sheets(tmp_path / "a.xlsx", one=[["text", "n"], ["a", 1], ["b", 2, None, "stray"]])
    assert refuse(path).place == "sheet 'one', cell D3"


def test_a_sheet_named_for_a_format_without_sheets(tmp_path):
    assert "no sheets" in refuse(write(tmp_path / "a.csv", "text\nhello\n"), sheet="one").reason


def make_half_a_workbook(path: Path) -> None:
    write_sheets(path, one=[["text"], *([f"text {n}"] for n in range(500))])
    path.write_bytes(path.read_bytes()[:3000])


def make_other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no workbook")


def make_workbook_with_a_cut_sheet(path: Path) -> None:
    write_sheets(path, one=[["text"], *([f"text {n}"] for n in range(500))])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:2000] if "sheet1.xml" in name else content)


@pytest.mark.parametrize("make", [make_half_a_workbook, make_other_zip, make_workbook_with_a_cut_sheet])
def test_a_damaged_workbook(make: Callable[[Path], None], tmp_path):
    make(tmp_path / "a.xlsx")
    assert "damaged, or no xlsx file" in refuse(tmp_path / "a.xlsx").reason


def test_an_encrypted_or_old_workbook(tmp_path):
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
    assert "encrypted, or in the old format" in refuse(write(tmp_path / "a.xlsx", old)).reason
    assert refuse(write(tmp_path / "a.xls", old)).next_step == "Save it as xlsx."


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.csv.gz"])
def test_an_unknown_extension_lists_the_seven(name, tmp_path):
    error = refuse(write(tmp_path / name, "text"))
    assert error.next_step == "Save it as one of csv, tsv, txt, json, jsonl, xlsx, parquet."


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    assert "a folder" in refuse(tmp_path / "folder.csv").reason
    assert "No such file" in refuse(tmp_path / "none.csv").reason
    assert "cannot be read" in refuse(Path("/proc/self/mem").parent / "attr" / "exec.csv").reason


def test_a_file_that_breaks_in_its_last_row_leaves_nothing(tmp_path):
    lines = [json.dumps({"text": f"text {n}"}) for n in range(5000)]
    assert refuse(write(tmp_path / "a.jsonl", "\n".join([*lines, "{"]))).place == "line 5001"
    assert refuse(write(tmp_path / "a.csv", "text,n\n" + "a,1\n" * 5000 + "a\n")).place == "row 5001 (line 5002)"
