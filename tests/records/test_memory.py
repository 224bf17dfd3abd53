"""A file ten times as large needs no more memory: each import runs in a process of its own, whose peak is read."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.rows import ROW

GROWTH = 40 * 2**20
"""Bytes that the peak may grow by."""

# VmHWM, not ru_maxrss: the latter starts from the peak of the process that started this one.
IMPORT = r"""
import json, re, sys
from pathlib import Path
from records.readers.importing import import_rows
rows = import_rows(Path(sys.argv[1]), Path(sys.argv[2]), text_columns=["text"], shard_size=1000).rows
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps({"rows": rows, "peak": int(peak[1]) * 1024}))
"""


def make_texts() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"Review {number}, of a film that was {'good ' * (number % 400)}in its way."


def write_lines(path: Path, size: int, kind: str) -> int:
    """Write rows until the file has `size` bytes; return how many."""
    before, between, after = {"json": ("[", ",\n", "]"), "csv": ("id,text\n", "", "")}.get(kind, ("", "", ""))
    with path.open("w", encoding="utf-8") as stream:
        stream.write(before)
        for number, text in enumerate(make_texts(), start=1):
            stream.write(f'{number},"{text}"\n' if kind == "csv" else json.dumps({"id": number, "text": text}))
            if stream.tell() >= size:
                break
            stream.write(between if kind != "jsonl" else "\n")
        stream.write(after)
    return number


def write_columns(path: Path, size: int) -> int:
    texts = list(zip(make_texts(), range(size // 1100), strict=False))
    path.write_text(json.dumps({"id": [n for _, n in texts], "text": [text for text, _ in texts]}))
    return len(texts)


def write_parquet(path: Path, size: int) -> int:
    """Write everything into one row group, as pandas does with a million rows, uncompressed."""
    texts = [text for text, _ in zip(make_texts(), range(size // 1100), strict=False)]
    options = {"compression": "none", "use_dictionary": False}
    pq.write_table(pa.table({"text": texts}), path, row_group_size=len(texts), **options)
    return len(texts)


def measure_peak(path: Path, rows: int) -> int:
    """Import a file in a process of its own, check the rows, and return the peak of its memory in bytes."""
    target = path.with_suffix(".imported")
    command = [sys.executable, "-c", IMPORT, str(path), str(target)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert said["rows"] == rows
    stored = pq.read_metadata(target)
    assert stored.num_rows == rows
    assert pq.read_table(target, columns=[ROW])[ROW][-1].as_py() == rows - 1
    path.unlink()
    target.unlink()
    return said["peak"]


@pytest.mark.parametrize(
    ("kind", "megabytes"), [("csv", 300), ("jsonl", 300), ("parquet", 300), ("json", 120), ("json of columns", 120)]
)
def test_the_peak_does_not_grow_with_the_file(kind, megabytes, tmp_path):
    peaks = []
    for size in (megabytes * 10**5, megabytes * 10**6):
        path = tmp_path / f"data.{kind.split()[0]}"
        if kind == "parquet":
            rows = write_parquet(path, size)
        elif kind == "json of columns":
            rows = write_columns(path, size)
        else:
            rows = write_lines(path, size, kind)
        assert path.stat().st_size > size * 0.9
        peaks.append(measure_peak(path, rows))
    assert peaks[1] - peaks[0] < GROWTH, f"peaks in MiB: {[peak >> 20 for peak in peaks]}"
