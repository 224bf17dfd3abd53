"""The real texts that a benchmark measures on."""

import itertools
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from records.errors import DataError

SAMPLE = Path(__file__).parent / "data" / "reviews.jsonl"


def read_texts(folder: Path | None) -> list[str]:
    """Return the texts of the shipped review sentences, or of the `text` columns of a folder's parquet files.

    Texts of white space alone are left out. Raises DataError where the folder has no text, or a file of it is broken.
    """
    if folder is None:
        return [json.loads(line)["text"] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    texts = [text for path in sorted(folder.glob("*.parquet")) for text in _read_column(path) if text.strip()]
    if not texts:
        raise DataError(
            str(folder),
            "holds no parquet file with a column `text` of strings",
            next_step="Give a folder of such files, or leave --data out for the shipped sample.",
        )
    return texts


def draw_texts(texts: list[str], rows: int, seed: int) -> list[str]:
    """Return so many texts in an order of this seed, each as often as any other, give or take one."""
    shuffled = random.Random(seed).sample(texts, len(texts))  # noqa: S311 (no secret)
    return list(itertools.islice(itertools.cycle(shuffled), rows))


def _read_column(path: Path) -> list[str]:
    try:
        if "text" not in pq.read_schema(path).names:
            return []
        column = pq.read_table(path, columns=["text"])["text"]
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"cannot be read: {error}", next_step="Mend the file or leave it out.") from error
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return []
    return [text for text in column.to_pylist() if text is not None]
