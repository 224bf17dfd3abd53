"""Label texts with one classifier.

    python annotate.py --model DIR --labels labels.json --input in.parquet --output out.parquet [--features] [--classes]
    python annotate.py --model DIR --labels labels.json --serve

Input columns: id (int64), text and, for pairs of texts, text_pair. Output columns, in the input's order: id, label (a
list where labels.json says multi_label), score, probs (in the order of labels.json) and, where asked for, features (the
mean-pooled last hidden state, float16) and class_probs (of the model's own classes, before LABEL_MAP). With --serve the model stays loaded: requests are read from standard input and
answered on standard output, one JSON object a line.
"""

import argparse
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TextIO

if __name__ == "__main__":
    # Standard output carries the protocol alone: what libraries print from here on goes to standard error.
    REPLIES = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
# Threads that wait must sleep, not spin: scripts that share processors would slow each other down several times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

PROTOCOL = 1
BATCH_TOKENS = 4096
"""A batch holds at most so many tokens, padding counted, and at least one row."""
THRESHOLD = 0.5
"""In a multi-label task a text has the labels whose probability is at least this."""
SECONDS_BETWEEN_PROGRESS = 0.2

LABEL_MAP: dict[int, str | None] = {
    int(index): label for index, label in json.loads('{"0": "negative", "1": null, "2": "positive"}').items()
}
"""Class index of the model → label of the task; None: the task has no label for this class."""

MAX_TOKENS = 512
"""No row is read further than this, however much the model could take."""

CHARACTERS_PER_TOKEN = 20
"""A text is cut to this many characters a token before it is tokenized, so that a huge one costs no more."""


def preprocess(text: str, text_pair: str | None) -> str | tuple[str, str]:
    """Return one text, or two, as the model expects it; `text_pair` is None where the task is about single texts."""
    return text if text_pair is None else (text, text_pair)


def read_logits(logits: torch.Tensor, problem_type: str) -> torch.Tensor:
    """Return class probabilities (n_rows, n_classes) from logits (n_rows, n_logits).

    `problem_type` is the configuration's: regression, single_label_classification, multi_label_classification or "".
    """
    if problem_type == "regression":
        raise ValueError("the model is a regression: its number is no probability of a class")
    if logits.shape[1] == 1:  # one logit: class 1 is "yes", class 0 is "no"
        yes = torch.sigmoid(logits)
        return torch.cat([1 - yes, yes], dim=1)
    if problem_type == "multi_label_classification":
        return torch.sigmoid(logits)
    return torch.softmax(logits, dim=1)


class Classifier:
    """A sequence classifier that reads texts, or pairs of them, and answers with probabilities over `labels`.

    `kind` is that of labels.json: in a multi_label task the labels are independent of each other.
    """

    def __init__(self, folder: str, labels: Sequence[str], dtype: torch.dtype, kind: str = "single_label") -> None:
        self.labels = list(labels)
        self.independent = kind == "multi_label"
        unknown = {label for label in LABEL_MAP.values() if label is not None} - set(self.labels)
        if unknown:
            raise ValueError(f"LABEL_MAP names {sorted(unknown)}; the task's labels are {self.labels}")
        classes = [LABEL_MAP[index] for index in sorted(LABEL_MAP)]
        self.membership = torch.tensor([[float(own == label) for label in self.labels] for own in classes])
        if not self.membership.any():
            raise ValueError("LABEL_MAP gives no class a label of the task")
        local = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        if self.tokenizer.pad_token_id is None:
            raise ValueError("the tokenizer has no padding token, so rows cannot be batched")
        self.model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **local
        )
        if report["missing_keys"]:  # they would be random numbers
            raise ValueError(f"the model folder lacks weights: {sorted(report['missing_keys'])}")
        self.model.eval()
        self.inputs = set(inspect.signature(self.model.forward).parameters)
        self.max_tokens = min(MAX_TOKENS, find_max_tokens(self.model), self.tokenizer.model_max_length)

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[dict[str, list[int]]]:
        """Return the model's inputs for each text, or each text and its pair, not padded."""
        bound = CHARACTERS_PER_TOKEN * self.max_tokens
        seconds = [None] * len(texts) if pairs is None else [pair[:bound] for pair in pairs]
        prepared = [preprocess(text[:bound], second) for text, second in zip(texts, seconds, strict=True)]
        if not prepared:
            return []
        encoded = self.tokenizer(*split_prepared(prepared), truncation=True, max_length=self.max_tokens)
        names = [name for name in encoded if name in self.inputs]
        return [{name: encoded[name][row] for name in names} for row in range(len(prepared))]

    def pad(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """Return one batch (n_rows, longest row) from encoded rows."""
        width = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": self.tokenizer.pad_token_id}
        return {
            name: torch.tensor([row[name] + [fill.get(name, 0)] * (width - len(row[name])) for row in rows])
            for name in rows[0]
        }

    def read_labels(self, logits: torch.Tensor) -> torch.Tensor:
        """Return label probabilities (n_rows, n_labels) from logits. Raises ValueError as `read_classes` does."""
        return self.map_classes(self.read_classes(logits))

    def read_classes(self, logits: torch.Tensor) -> torch.Tensor:
        """Return class probabilities (n_rows, n_classes). Raises ValueError where an answer is no number."""
        if not torch.isfinite(logits).all():
            raise ValueError("the model answered with numbers that are not finite")
        classes = read_logits(logits.float(), self.model.config.problem_type or "")
        shape = tuple(classes.shape)
        if shape != (len(logits), len(LABEL_MAP)) or sorted(LABEL_MAP) != list(range(len(LABEL_MAP))):
            raise ValueError(f"LABEL_MAP has the classes {sorted(LABEL_MAP)}, the model answered {shape}")
        if not torch.isfinite(classes).all() or (classes < 0).any() or (classes > 1 + 1e-4).any():
            raise ValueError("read_logits returned values that are no probabilities")
        return classes.clamp_max(1.0)

    def map_classes(self, classes: torch.Tensor) -> torch.Tensor:
        """Return label probabilities (n_rows, n_labels), each row summing to 1 but for a multi-label task.

        A label's probability is the sum over its classes, renormalised over the classes that have a label; where
        these got nothing the answer is even, and so has a low score. In a multi-label task it is the largest of its
        classes', and 0 without a class.
        """
        if self.independent:
            return (classes.unsqueeze(2) * self.membership).amax(dim=1)
        mapped = classes @ self.membership
        total = mapped.sum(dim=1, keepdim=True)
        covered = self.membership.any(dim=0).float()
        return torch.where(total > 1e-6, mapped / total.clamp_min(1e-6), covered / covered.sum())


def split_prepared(prepared: Sequence[str | tuple[str, str]]) -> list[list[str]]:
    """Return what preprocess made as columns for the tokenizer: one of texts, or one of first and one of second texts.

    Raises ValueError where it is neither a text for every row nor a pair of texts for every row.
    """
    rows = [row if isinstance(row, tuple) else (row,) for row in prepared]
    if {len(row) for row in rows} not in ({1}, {2}) or not all(isinstance(part, str) for row in rows for part in row):
        raise ValueError("preprocess must return a text for every row, or a pair (text, text_pair) for every row")
    return [list(column) for column in zip(*rows, strict=True)]


def find_max_tokens(model: torch.nn.Module) -> int:
    """Return how many tokens the model has positions for. RoBERTa's kind starts counting after its padding index."""
    limit = getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limit = min(limit, module.num_embeddings - module.padding_idx - 1)
    return limit if limit > 0 else MAX_TOKENS


class Annotator:
    """A loaded classifier that labels parquet files."""

    def __init__(self, model: str, labels: Sequence[str], kind: str = "single_label", dtype: str = "float32") -> None:
        self.kind = kind
        self.dtype = dtype
        self.classifier = Classifier(model, labels, getattr(torch, dtype), kind)

    def describe(self) -> dict[str, object]:
        """Return what the worker says of itself when it is ready."""
        model = self.classifier.model
        processor = torch.cpu.get_capabilities()
        return {
            "type": "ready",
            "protocol": PROTOCOL,
            "model_type": model.config.model_type,
            "parameters": sum(weight.numel() for weight in model.parameters()),
            "hidden_size": model.config.hidden_size,
            "dtype": self.dtype,
            "bf16_native": bool(processor.get("amx_bf16") or processor.get("avx512_bf16") or processor.get("bf16")),
        }

    def annotate(
        self, source: str, target: str, features: bool, classes: bool, on_progress: Callable[[int, int], None]
    ) -> tuple[int, int]:
        """Label the rows of `source` into `target`; return how many rows, and how many tokens without padding."""
        names = ["text", "text_pair"] if self.kind == "text_pair" else ["text"]
        table = pq.read_table(source, columns=["id", *names])
        encoded = self.classifier.encode(*([text or "" for text in table[name].to_pylist()] for name in names))
        lengths = [len(row["input_ids"]) for row in encoded]
        class_probs = np.zeros((len(encoded), len(LABEL_MAP)), dtype=np.float32)
        pooled = np.zeros((len(encoded), self.classifier.model.config.hidden_size if features else 0), dtype=np.float16)
        done = 0
        for batch in plan_batches(lengths):
            class_probs[batch], pooled[batch] = self.read_batch([encoded[row] for row in batch], features)
            done += len(batch)
            on_progress(done, len(encoded))
        probs = self.classifier.map_classes(torch.from_numpy(class_probs)).numpy()
        answers = pick_answers(self.classifier.labels, probs, self.kind)
        extra = {**({"features": pooled} if features else {}), **({"class_probs": class_probs} if classes else {})}
        write_output(target, table["id"], answers, probs, extra)
        return len(encoded), sum(lengths)

    @torch.inference_mode()
    def read_batch(self, rows: Sequence[dict[str, list[int]]], features: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return class probabilities (n_rows, n_classes) and pooled states (n_rows, hidden size, or 0 if not asked)."""
        inputs = self.classifier.pad(rows)
        result = self.classifier.model(**inputs, output_hidden_states=features)
        probs = self.classifier.read_classes(result.logits).numpy()
        if not features:
            return probs, np.zeros((len(rows), 0), dtype=np.float16)
        mask = inputs["attention_mask"].unsqueeze(2).float()
        pooled = (result.hidden_states[-1].float() * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1.0)
        if not torch.isfinite(pooled.half()).all():
            raise ValueError("the model's hidden states do not fit into float16")
        return probs, pooled.half().numpy()


def plan_batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return row numbers in batches of like length; they depend on the lengths alone."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if not batches or lengths[row] * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches


def pick_answers(labels: Sequence[str], probs: np.ndarray, kind: str) -> pa.Array:
    """Return each row's most probable label or, in a multi-label task, the list of those that are probable enough."""
    if kind == "multi_label":
        picked = [[label for label, chosen in zip(labels, row, strict=True) if chosen] for row in probs >= THRESHOLD]
        return pa.array(picked, pa.list_(pa.string()))
    return pa.array([labels[index] for index in probs.argmax(axis=1)], pa.string())


def write_output(
    path: str, ids: pa.ChunkedArray, answers: pa.Array, probs: np.ndarray, extra: dict[str, np.ndarray]
) -> None:
    """Write the output table whole, with the matrices of `extra` as more columns: under another name first."""
    columns = {
        "id": ids.cast(pa.int64()),
        "label": answers,
        "score": pa.array(probs.max(axis=1), pa.float32()),
        **{name: as_lists(matrix) for name, matrix in {"probs": probs, **extra}.items()},
    }
    pq.write_table(pa.table(columns), path + ".tmp")
    os.replace(path + ".tmp", path)


def as_lists(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """Return a matrix as a column of lists, one a row, of its own type."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def serve(annotator: Annotator, requests: TextIO, replies: TextIO) -> None:
    """Answer requests, one JSON object a line, until the input ends. A request that fails does not end the worker."""
    write_reply(replies, annotator.describe())
    for line in requests:
        request_id = ""
        try:
            request = json.loads(line)
            request_id = request["id"]
            result = answer(annotator, request, replies)
        except Exception as error:  # the boundary: the host decides what a failed request means
            traceback.print_exc()
            result = {"type": "error", "id": request_id, "error": f"{type(error).__name__}: {error}"}
        write_reply(replies, result)


def answer(annotator: Annotator, request: dict, replies: TextIO) -> dict[str, object]:
    """Carry out one request, telling of its progress, and return the reply."""
    if request["op"] != "annotate":
        raise ValueError(f"unknown op {request['op']!r}; allowed: annotate")
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_PROGRESS:
            last = time.monotonic()
            write_reply(replies, {"type": "progress", "id": request["id"], "done": done, "total": total})

    wanted = (request.get("features", False), request.get("classes", False))
    rows, tokens = annotator.annotate(request["input"], request["output"], *wanted, report)
    return {"type": "result", "id": request["id"], "rows": rows, "tokens": tokens}


def write_reply(replies: TextIO, reply: dict[str, object]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


def read_labels_file(path: str) -> tuple[list[str], str]:
    """Return the task's labels in their order, and its kind."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    return content["labels"], content.get("kind", "single_label")


def main() -> None:
    parser = argparse.ArgumentParser(description="Label texts with one classifier.")
    parser.add_argument("--model", required=True, help="the model's folder")
    parser.add_argument("--labels", required=True, help="labels.json: the task's labels, in the order of probs")
    parser.add_argument("--input", help="parquet with the columns id, text and, for pairs, text_pair")
    parser.add_argument("--output", help="the parquet to write")
    parser.add_argument("--features", action="store_true", help="write the mean-pooled last hidden state too")
    parser.add_argument("--classes", action="store_true", help="write the probabilities of the model's own classes too")
    parser.add_argument("--serve", action="store_true", help="answer requests from standard input")
    parser.add_argument("--threads", type=int, help="processor threads (default: the library's choice)")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    if not options.serve and not (options.input and options.output):
        parser.error("--input and --output are needed without --serve")
    if options.threads:
        torch.set_num_threads(options.threads)
        os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    annotator = Annotator(options.model, *read_labels_file(options.labels), options.dtype)
    if options.serve:
        serve(annotator, sys.stdin, REPLIES)
        return
    request = {"op": "annotate", "id": "", "input": options.input, "output": options.output}
    wanted = {"features": options.features, "classes": options.classes}
    write_reply(REPLIES, answer(annotator, {**request, **wanted}, REPLIES))


if __name__ == "__main__":
    main()
