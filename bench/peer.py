"""Label texts as a person would without this project: the peers of the throughput benchmark.

    python peer.py pipeline --model DIR --threads N --dtype float32

A script of its own, which needs torch, transformers and pyarrow. It answers the requests of a warm worker, so that it
is handed the same files and timed by the same clock as the project's own script.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

BATCH_ROWS = 32
CHUNK_ROWS = 10
"""The paper's code loads the model again after so many rows."""

Label = Callable[[Sequence[str]], list[str]]
"""Texts → the name of each one's most probable class."""


def open_pipeline(model: str, dtype: torch.dtype) -> Label:
    """Return the usual way: the library's pipeline, loaded once, in batches in the order of the rows."""
    classify = pipeline("text-classification", model=model, dtype=dtype, device="cpu")
    return lambda texts: [found["label"] for found in classify(list(texts), batch_size=BATCH_ROWS, truncation=True)]


def open_one_by_one(model: str, dtype: torch.dtype) -> Label:
    """Return the paper's way: one row at a time, the model loaded again for every chunk."""

    def label(texts: Sequence[str]) -> list[str]:
        chunks = [texts[first : first + CHUNK_ROWS] for first in range(0, len(texts), CHUNK_ROWS)]
        return [name for chunk in chunks for name in label_chunk(model, dtype, chunk)]

    return label


@torch.inference_mode()
def label_chunk(model: str, dtype: torch.dtype, texts: Sequence[str]) -> list[str]:
    """Load the model and label a few rows, one at a time."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    classifier = AutoModelForSequenceClassification.from_pretrained(model, dtype=dtype)
    classifier.eval()
    logits = [classifier(**tokenizer(text, truncation=True, return_tensors="pt")).logits for text in texts]
    return [classifier.config.id2label[int(row.argmax())] for row in logits]


WAYS = {"pipeline": open_pipeline, "one_by_one": open_one_by_one}


def main() -> None:
    """Serve requests from standard input until it ends."""
    parser = argparse.ArgumentParser(description="Label texts as a person would without this project.")
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], required=True)
    options = parser.parse_args()
    # Standard output carries the protocol alone.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    torch.set_num_threads(options.threads)
    label = WAYS[options.way](options.model, getattr(torch, options.dtype))
    print(json.dumps({"type": "ready", "protocol": 1}), file=replies, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        table = pq.read_table(request["input"])
        labels = label([str(text) for text in table["text"].to_pylist()])
        pq.write_table(pa.table({"id": table["id"].to_pylist(), "label": labels}), request["output"])
        reply = {"type": "result", "id": request["id"], "rows": len(labels)}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
