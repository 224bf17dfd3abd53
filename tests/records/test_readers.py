"""Files of the seven formats: every row and column arrives, in order, with its type where the format has types."""

import datetime
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.errors import DataError
from records.readers.importing import ImportedRows, import_rows, iterate_shards, rename_columns
from records.readers.inspection import inspect_file
from records.rows import INPUT_TEXTS, LABEL_COLUMNS, ROW, ROW_ID, TEXT, RowText, read_row_texts

TEXTS = ["A fine film, truly.", 'He said "no"\nand left', "", "Ünïcödé 日本 😀"]
COLUMNS = {"id": ["7", "7", "x", "9"], "text": TEXTS, "stars": ["5", "1", "3", "4"]}


def rows() -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)]


def write_delimited(path: Path, delimiter: str) -> None:
    quoted = [["id", "text", "stars"], *([f'"{v.replace(chr(34), chr(34) * 2)}"' for v in r.values()] for r in rows())]
    path.write_text("".join(delimiter.join(line) + "\r\n" for line in quoted), encoding="utf-8", newline="")


def write_xlsx(path: Path, table: list[list[Any]]) -> None:
    workbook = openpyxl.Workbook()
    for line in table:
        workbook.active.append(line)
    workbook.save(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda path: write_delimited(path, ","),
    "tsv": lambda path: write_delimited(path, "\t"),
    "json": lambda path: path.write_text(json.dumps(rows()), encoding="utf-8"),
    "jsonl": lambda path: path.write_text("\n".join(map(json.dumps, rows())), encoding="utf-8"),
    "xlsx": lambda path: write_xlsx(path, [list(COLUMNS), *(list(row.values()) for row in rows())]),
    "parquet": lambda path: pq.write_table(pa.table(COLUMNS), path),
}


def read(path: Path, text: str = "text", **options: Any) -> tuple[ImportedRows, dict[str, list[Any]]]:
    target = path.parent / "run" / "input.parquet"
    imported = import_rows(path, target, text_columns=[text], shard_size=options.pop("shard_size", 2), **options)
    return imported, pq.read_table(target).to_pydict()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_rows(kind, tmp_path):
    path = tmp_path / f"data.{kind}"
    WRITERS[kind](path)
    imported, columns = read(path)
    blank = [None if kind == "xlsx" and text == "" else text for text in TEXTS]
    assert columns == {ROW: [0, 1, 2, 3], ROW_ID: COLUMNS["id"], TEXT: TEXTS, **COLUMNS, "text": blank}
    assert (imported.rows, imported.columns, imported.empty_rows) == (4, ("id", "text", "stars"), 1)
    assert imported.other_encoding is None


@pytest.mark.parametrize("kind", WRITERS)
def test_a_look_shows_which_column_is_text(kind, tmp_path):
    path = tmp_path / f"data.{kind.upper()}"
    WRITERS[kind](path)
    look = inspect_file(path)
    assert look.format == kind
    assert look.sheet == ("Sheet" if kind == "xlsx" else None)
    assert [column.name for column in look.columns] == list(COLUMNS)
    assert look.text_columns == ("id", "text")
    assert look.columns[1].values == tuple(text for text in TEXTS if text)


def test_a_look_shows_twenty_values_at_most(tmp_path):
    path = write(tmp_path / "a.txt", "\n".join(f"text {n}" for n in range(5000)))
    assert inspect_file(path).columns[0].values == tuple(f"text {n}" for n in range(20))


def test_a_look_cuts_long_values(tmp_path):
    look = inspect_file(write(tmp_path / "a.txt", "word " * 30_000))
    (value,) = look.columns[0].values
    assert (len(value), value[-1]) == (1000, "…")
    assert look.rows == ({"text": value},)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_look_shows_whole_rows_that_have_text(kind, tmp_path):
    path = tmp_path / f"data.{kind}"
    WRITERS[kind](path)
    look = inspect_file(path)
    assert [list(row) for row in look.rows] == [list(COLUMNS)] * 4
    assert look.rows[0] == rows()[0]


def test_a_look_spreads_its_rows_over_the_first_thousand(tmp_path):
    lines = [{"n": number, "text": f"text {number}" if number % 2 else None} for number in range(5000)]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))
    shown = inspect_file(path).rows
    assert shown == inspect_file(path).rows
    numbers = [int(row["n"] or 0) for row in shown]
    assert len(numbers) == 20
    assert (numbers[0], numbers[-1]) == (1, 999)
    assert all(row["text"] == f"text {row['n']}" for row in shown)
    gaps = [after - before for before, after in itertools.pairwise(numbers)]
    assert min(gaps) >= 50
    assert max(gaps) <= 56


def damage(content: bytes, chance: random.Random) -> bytes:
    """Change, drop or add a few bytes, or cut the rest off."""
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 3, 10])):
        at = chance.randrange(len(damaged) + 1)
        match chance.randrange(5):
            case 0:
                del damaged[at:]
            case 1:
                del damaged[at : at + chance.randrange(1, 20)]
            case 2:
                damaged[at:at] = chance.randbytes(3)
            case _:
                damaged[at : at + 1] = chance.randbytes(1)
    return bytes(damaged)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(kind, tmp_path):
    path = tmp_path / f"data.{kind}"
    WRITERS[kind](path)
    whole, chance = path.read_bytes(), random.Random(kind)
    refused = 0
    for _ in range(60):
        path.write_bytes(damage(whole, chance))
        try:
            imported, columns = read(path)
        except DataError:
            refused += 1
        else:
            assert columns[ROW] == list(range(imported.rows))
    assert refused > 10


def test_each_line_of_a_txt_is_a_row_and_an_empty_line_an_empty_row(tmp_path):
    imported, columns = read(write(tmp_path / "a.txt", "one\r\n\r\nthree\u2028still three\n  \nfive"))
    assert columns["text"] == ["one", "", "three\u2028still three", "  ", "five"]
    assert columns[TEXT] == ["one", "", "three\u2028still three", "", "five"]
    assert imported.empty_rows == 2


def test_values_of_a_csv_stay_as_they_are_written(tmp_path):
    path = write(tmp_path / "a.csv", "text,n,m,t\nhello,007,NA, x \nthere,1e5,,null\n")
    _, columns = read(path)
    assert (columns["n"], columns["m"], columns["t"]) == (["007", "1e5"], ["NA", ""], [" x ", "null"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_is_found(delimiter, tmp_path):
    other = ";" if delimiter == "," else ","
    lines = [f"id{delimiter}text", f'1{delimiter}"a{delimiter} b{other} c"', f"2{delimiter}d{other}e{other}f"]
    _, columns = read(write(tmp_path / "a.csv", "\n".join(lines)))
    assert columns["text"] == [f"a{delimiter} b{other} c", f"d{other}e{other}f"]


def test_a_csv_of_one_column_keeps_its_blank_lines_but_the_last(tmp_path):
    imported, columns = read(write(tmp_path / "a.csv", 'text\none\n\n"two, three"\n\n\n'))
    assert columns["text"] == ["one", "", "two, three"]
    assert imported.empty_rows == 1


def test_blank_lines_of_a_csv_of_several_columns_are_no_rows(tmp_path):
    _, columns = read(write(tmp_path / "a.csv", "\nid,text\n\n1,one\n\n2,two\n\n"))
    assert columns["id"] == ["1", "2"]


def test_line_ends_of_an_old_mac_are_read(tmp_path):
    _, columns = read(write(tmp_path / "a.csv", "id,text\r1,one\r2,two\r"))
    assert columns["text"] == ["one", "two"]


def test_a_column_without_a_name_gets_its_position(tmp_path):
    imported, _ = read(write(tmp_path / "a.csv", ",text,\n0,one,x\n"))
    assert imported.columns == ("column_1", "text", "column_3")


def test_a_tsv_with_bare_quotes_is_read_with_the_quotes(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tn\n"Great" film\t1\n"unclosed\t2\nand" more\t3\n')
    assert read(path)[1]["text"] == ['"Great" film', '"unclosed', 'and" more']


def test_texts_of_a_hundred_thousand_characters_arrive_whole(tmp_path):
    long = "word " * 60_000
    for kind, content in {
        "csv": f'text\n"{long}"\n', "tsv": f"text\tn\n{long}\t1\n", "txt": long, "json": json.dumps([long]),
        "jsonl": json.dumps({"text": long}),
    }.items():  # fmt: skip
        assert read(write(tmp_path / f"a.{kind}", content))[1][TEXT] == [long]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    for kind, content in {"csv": "text,n\nä,1\n", "jsonl": '{"text": "ä"}', "json": '[{"text": "ä"}]'}.items():
        path = write(tmp_path / f"a.{kind}", content.encode("utf-8-sig"))
        assert read(path)[1][TEXT] == ["ä"]
        assert inspect_file(path).encoding == "utf-8-sig"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_with_a_byte_order_mark_is_read(encoding, tmp_path):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    for kind, content in {"csv": 'text,n\n"ä\n日",1\n', "jsonl": '{"text": "ä\\n日"}', "json": '["ä\\n日"]'}.items():
        path = write(tmp_path / f"a.{kind}", mark + content.encode(encoding))
        assert read(path)[1][TEXT] == ["ä\n日"]
        assert inspect_file(path).encoding == "utf-16"


def test_mixed_encodings_are_read_line_by_line_and_noted(tmp_path):
    lines = ["text,n", "Größe,1", *(["plain,2"] * 30)]
    content = "\n".join(lines).encode() + b"\n" + "Stra\u00dfe in K\u00f6ln \u201eschön\u201c,3\n".encode("cp1252")
    imported, columns = read(write(tmp_path / "a.csv", content))
    assert (columns[TEXT][0], columns[TEXT][-1]) == ("Größe", "Straße in Köln „schön“")
    assert imported.other_encoding.model_dump() == {"encodings": ("cp1252",), "lines": 1, "first_lines": (33,)}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Привет, это очень хороший фильм, и я его рекомендую"),
        ("cp932", "この映画はとても面白かったです。もう一度見たいと思います"),
        ("gb18030", "这部电影非常好看，我想再看一遍，推荐给大家"),
        ("cp1252", "Ce film est très réussi, à voir absolument cet été"),
        ("cp1252", "Tyvärr är filmen för lång, jag somnade på slutet"),
        ("cp1252", "It\u2019s a \u201cfine\u201d film \u2013 the director\u2019s best"),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy, film byl skvělý"),
        ("cp1254", "Film çok güzeldi, maalesef hikâye sıkıcıydı, şaşırdım"),
    ],
)
def test_a_file_in_another_encoding_is_recognised(encoding, text, tmp_path):
    imported, columns = read(write(tmp_path / "a.txt", "\n".join([text] * 30).encode(encoding)))
    assert columns["text"] == [text] * 30
    assert imported.other_encoding.lines == 30
    assert len(imported.other_encoding.first_lines) == 20


def test_json_of_columns_and_of_strings(tmp_path):
    _, columns = read(write(tmp_path / "a.json", '{"text": ["a b", null], "n": [1, 2.5], "a.b": [true, null]}'))
    assert (columns["text"], columns["n"], columns["a.b"]) == (["a b", None], [1.0, 2.5], [True, None])
    _, columns = read(write(tmp_path / "b.json", '["a b", "c"]'))
    assert columns["text"] == ["a b", "c"]


JSON_VALUES: list[tuple[list[Any], pa.DataType, list[Any]]] = [
    ([1, None, -3], pa.int64(), [1, None, -3]),
    ([1, 2.5], pa.float64(), [1.0, 2.5]),
    ([2**60, 1], pa.int64(), [2**60, 1]),
    ([2**60, 0.5], pa.string(), ["1152921504606846976", "0.5"]),
    ([2**70, 1], pa.string(), ["1180591620717411303424", "1"]),
    ([True, False], pa.bool_(), [True, False]),
    ([True, 1], pa.string(), ["true", "1"]),
    ([1, "one"], pa.string(), ["1", "one"]),
    ([{"a": [1.5, "é"]}, [None]], pa.string(), ['{"a": [1.5, "é"]}', "[null]"]),
    ([None, None], pa.string(), [None, None]),
    (["half \ud83d pair", "whole \U0001f600"], pa.string(), ["half ? pair", "whole 😀"]),
]


@pytest.mark.parametrize(("values", "kind", "expected"), JSON_VALUES, ids=lambda value: str(value)[:20])
def test_types_of_json_are_told_from_all_rows(values, kind, expected, tmp_path):
    table = [{"text": "some text", "v": value} for value in values]
    for suffix, content in {"json": json.dumps(table), "jsonl": "\n".join(map(json.dumps, table))}.items():
        _, columns = read(write(tmp_path / f"a.{suffix}", content))
        assert columns["v"] == expected
        assert pq.read_schema(tmp_path / "run" / "input.parquet").field("v").type == kind


def test_keys_that_come_late_or_go_are_null_elsewhere(tmp_path):
    lines = ['{"text": "a"}', '"b"', "", '{"late": 1, "text": "c"}']
    imported, columns = read(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert imported.columns == ("text", "late")
    assert columns["late"] == [None, None, 1]


def test_types_of_a_spreadsheet(tmp_path):
    day, moment = datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1, 13, 30)
    write_xlsx(
        tmp_path / "a.xlsx",
        [[], ["text", 2024, "when", "n", "mixed"], ["one", True, day, 1, 5], [], [None, False, moment, 2.5, "x"], [""]],
    )
    imported, columns = read(tmp_path / "a.xlsx")
    assert imported.columns == ("text", "2024", "when", "n", "mixed")
    assert columns[ROW] == [0, 1, 2]
    assert columns["text"] == ["one", None, None]
    assert columns["2024"] == [True, None, False]
    assert columns["when"] == [day, None, moment]
    assert columns["n"] == [1.0, None, 2.5]
    assert columns["mixed"] == ["5", None, "x"]


def test_hidden_and_empty_sheets_do_not_count(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.title = "empty"
    hidden, data = workbook.create_sheet("hidden"), workbook.create_sheet("data")
    hidden.append(["text"])
    hidden.append(["not this"])
    hidden.sheet_state = "hidden"
    data.append(["text"])
    data.append(["this"])
    workbook.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx")[1]["text"] == ["this"]
    assert read(tmp_path / "a.xlsx", sheet="hidden")[1]["text"] == ["not this"]


def test_types_of_parquet_stay(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", "b", "a"]).dictionary_encode(),
            "n": pa.array([1, None, 3], pa.int16()),
            "when": pa.array([1, 2, 3], pa.timestamp("ms", "Europe/Berlin")),
            "nested": [{"a": [1]}, None, {"a": []}],
            "large": pa.array(["x", "y", None], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    target = tmp_path / "input.parquet"
    import_rows(tmp_path / "a.parquet", target, text_columns=["text", "large"], shard_size=2)
    stored = pq.read_table(target)
    assert stored.select(table.column_names).cast(table.schema).equals(table)
    assert stored.select(table.column_names).schema.types == table.schema.types
    assert stored[TEXT].to_pylist() == ["a\nx", "b\ny", "a"]


def test_a_pair_keeps_both_texts_in_the_order_of_the_columns(tmp_path):
    rows = [{"b": "two", "a": "one", "__text_pair__": 1}, {"b": " ", "a": "one"}, {"b": None, "a": "\t"}]
    path, target = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows))), tmp_path / "input.parquet"
    imported = import_rows(path, target, text_columns=["a", "b"], kind="text_pair", shard_size=2)
    assert (imported.rows, imported.empty_rows) == (3, 1), "a row that lacks one of its texts is a pair"
    assert imported.renamed == {"__text_pair__": "input___text_pair__"}
    shards = list(iterate_shards(target, 0, 3, 2, [ROW, *INPUT_TEXTS]))
    texts = [text for shard in shards for text in read_row_texts(shard, INPUT_TEXTS)]
    assert texts == [RowText("one", "two"), RowText("one", ""), RowText("", "")]
    assert [text.is_empty for text in texts] == [False, False, True]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_row_groups_have_the_size_of_a_shard(kind, size, tmp_path):
    texts = [f"text {n}" for n in range(10)]
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"text": texts}), path, row_group_size=4)
    else:
        path.write_text("\n".join(["text", *texts]))
    _, columns = read(path, shard_size=size)
    assert columns["text"] == texts
    stored = pq.read_metadata(tmp_path / "run" / "input.parquet")
    sizes = [stored.row_group(at).num_rows for at in range(stored.num_row_groups)]
    assert all(rows == size for rows in sizes[:-1])
    assert sum(sizes) == 10


def test_missing_ids_are_row_numbers_and_any_column_can_be_the_id(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"ID": 5, "k": "a", "text": "x y"}\n{"ID": null, "text": "z"}\n{"text": "z"}')
    assert read(path)[1][ROW_ID] == ["5", "1", "2"]
    assert read(path, id_column="k")[1][ROW_ID] == ["a", "1", "2"]


def test_without_an_id_column_the_row_numbers_are_the_ids(tmp_path):
    assert read(write(tmp_path / "a.txt", "a\nb"))[1][ROW_ID] == ["0", "1"]


@pytest.mark.parametrize("name", [ROW, ROW_ID, TEXT, *LABEL_COLUMNS])
def test_a_column_with_a_name_of_ours_is_renamed(name, tmp_path):
    imported, columns = read(write(tmp_path / "a.csv", f"{name},say\nfirst,hello\n"), text="say")
    assert imported.renamed == {name: f"input_{name}"}
    assert imported.columns == (f"input_{name}", "say")
    assert columns[f"input_{name}"] == ["first"]


def test_a_text_column_may_have_a_name_of_ours(tmp_path):
    _, columns = read(write(tmp_path / "a.csv", "reason,label\nso it is,hello\n"), text="reason")
    assert (columns[TEXT], columns["input_reason"]) == (["so it is"], ["so it is"])


def test_a_new_name_that_is_taken_goes_on():
    names = ["label", "input_label", "input_input_label", "Label"]
    assert rename_columns(names) == {"label": "input_input_input_label", **{name: name for name in names[1:]}}


def test_shards_come_back_as_they_were_asked_for(tmp_path):
    read(write(tmp_path / "a.txt", "\n".join(f"text {n}" for n in range(25))), shard_size=4)
    target = tmp_path / "run" / "input.parquet"
    for first, count, size in [(0, 25, 4), (3, 10, 4), (7, 1, 10), (20, 99, 3), (25, 5, 4)]:
        shards = list(iterate_shards(target, first, count, size))
        found = [row for shard in shards for row in shard[ROW].to_pylist()]
        assert found == list(range(first, min(first + count, 25)))
        assert all(shard.num_rows == size for shard in shards[:-1])
    assert next(iterate_shards(target, 0, 5, 5, [ROW, TEXT])).column_names == [ROW, TEXT]


def test_a_shard_is_read_without_the_other_row_groups(tmp_path):
    read(write(tmp_path / "a.txt", "\n".join(f"text {n} " + "x" * 500 for n in range(30))), shard_size=10)
    target = tmp_path / "run" / "input.parquet"
    groups = pq.read_metadata(target)
    damaged = bytearray(target.read_bytes())
    begin = groups.row_group(1).column(0).dictionary_page_offset or groups.row_group(1).column(0).data_page_offset
    size = groups.row_group(1).total_byte_size
    damaged[begin : begin + size // 8] = b"\xff" * (size // 8)
    target.write_bytes(damaged)
    assert [t[ROW].to_pylist()[0] for first in (0, 20) for t in iterate_shards(target, first, 10, 10)] == [0, 20]
    with pytest.raises((OSError, pa.ArrowException)):
        list(iterate_shards(target, 10, 10, 10))
