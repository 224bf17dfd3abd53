"""Teach one classifier from labelled rows: LoRA and the head, merged into an ordinary model folder.

    python finetune.py --model DIR --train t.parquet --valid v.parquet --output DIR --metrics m.json

Columns: text, text_pair (where the task is about pairs), label (of the task; a list where --labels says multi_label),
weight (optional, 1 where it is absent). The classes and what they stand for stay
as they are, so that the same annotate.py runs the result. With the same seed and number of threads the weights are
the same, bit for bit; also where training was stopped and goes on with --resume from the file of --checkpoint. Each
epoch is told of on standard output, as one line of JSON; all else that is printed goes to standard error.
"""

import argparse
import hashlib
import inspect
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

if __name__ == "__main__":
    # Standard output carries progress alone: what libraries print from here on goes to standard error.
    PROGRESS = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
# Threads that wait must sleep, not spin: scripts that share processors would slow each other down several times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pyarrow.parquet as pq
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

HYPERPARAMETERS = json.loads('{"epochs": 3, "batch_size": 16, "learning_rate": 0.001, "weight_decay": 0.01, "rank": 8, "alpha": 16, "max_tokens": 256}')
BUCKET = 8
"""Rows are sorted by length within so many batches, so that little is padding and the order stays random."""

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


@dataclass(frozen=True)
class Row:
    """A labelled row, encoded. `targets` is 1 for each of the classifier's labels that it has, else 0; `covered`:
    whether a class stands for every label that it has."""

    inputs: dict[str, list[int]]
    targets: list[float]
    covered: bool
    weight: float


def read_rows(path: str, classifier: Classifier, known: Sequence[str] | None) -> list[Row]:
    """Return the rows of a file. Raises ValueError where a label is missing, or is not among the `known` ones."""
    columns = pq.read_table(path).to_pydict()
    owned = [label if classifier.independent and label is not None else [label] for label in columns["label"]]
    names = {label for labels in owned for label in labels}
    unknown = {label for label in names if label is None or (known is not None and label not in known)}
    if unknown:
        raise ValueError(f"{path}: the labels {unknown} are none of the task's")
    texts = [[text or "" for text in columns[name]] for name in ("text", "text_pair") if name in columns]
    weights = columns.get("weight", [1.0] * len(owned))
    return [
        Row(
            inputs,
            [float(label in labels) for label in classifier.labels],
            set(labels) <= set(classifier.labels),
            float(weight),
        )
        for inputs, labels, weight in zip(classifier.encode(*texts), owned, weights, strict=True)
    ]


def is_usable(classifier: Classifier, row: Row) -> bool:
    """Return whether something can be learned from a row: what no class stands for is no label in a multi-label task."""
    return row.covered or classifier.independent


def measure_loss(classifier: Classifier, rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, a row each, −log of the probability of its label, and whether that label is the answer.

    A label's probability is that of its classes together, renormalised over the classes that have a label. In a
    multi-label task the loss is the mean over the labels, and a row is right where each of them is.
    """
    logits = classifier.model(**classifier.pad([row.inputs for row in rows])).logits
    probs = classifier.read_labels(logits)
    targets = torch.tensor([row.targets for row in rows])
    covered = torch.tensor([row.covered for row in rows])
    if classifier.independent:
        losses = -torch.log(torch.where(targets > 0, probs, 1 - probs) + 1e-9).mean(dim=1)
        return losses, ((probs >= 0.5) == (targets > 0)).all(dim=1) & covered
    losses = -torch.log((probs * targets).sum(dim=1) + 1e-9)
    return losses, (probs.argmax(dim=1) == targets.argmax(dim=1)) & covered


@torch.inference_mode()
def evaluate(classifier: Classifier, rows: Sequence[Row]) -> tuple[float, float]:
    """Return accuracy (a row whose label no class stands for counts as wrong) and mean loss (such rows left out)."""
    classifier.model.eval()
    ordered = sorted(rows, key=lambda row: len(row.inputs["input_ids"]))
    size = HYPERPARAMETERS["batch_size"]
    right, loss = 0, 0.0
    for start in range(0, len(ordered), size):
        batch = ordered[start : start + size]
        losses, hits = measure_loss(classifier, batch)
        right += int(hits.sum())
        usable = [is_usable(classifier, row) for row in batch]
        loss += float(sum(value for value, use in zip(losses.tolist(), usable, strict=True) if use))
    return right / len(rows), loss / max(1, sum(is_usable(classifier, row) for row in rows))


def add_adapters(model: torch.nn.Module) -> PeftModel:
    """Return the model with LoRA on every linear layer of its encoder, and with its head to be trained whole."""
    encoder = model.base_model_prefix
    linear = [
        f"{encoder}.{name}" for name, module in model.base_model.named_modules() if isinstance(module, torch.nn.Linear)
    ]
    head = [name for name, module in model.named_children() if name != encoder and list(module.parameters())]
    return get_peft_model(
        model,
        LoraConfig(
            r=HYPERPARAMETERS["rank"],
            lora_alpha=HYPERPARAMETERS["alpha"],
            target_modules=linear,
            modules_to_save=head,
        ),
    )


def plan_epoch(rows: Sequence[Row], chance: random.Random) -> Iterator[list[Row]]:
    """Yield the rows once, in batches of like length, in a new order every time."""
    size = HYPERPARAMETERS["batch_size"]
    shuffled = chance.sample(rows, len(rows))
    batches: list[list[Row]] = []
    for start in range(0, len(shuffled), size * BUCKET):
        bucket = sorted(shuffled[start : start + size * BUCKET], key=lambda row: len(row.inputs["input_ids"]))
        batches.extend(bucket[first : first + size] for first in range(0, len(bucket), size))
    yield from chance.sample(batches, len(batches))


class Training:
    """All that changes while a classifier is trained: its trainable weights, the optimizer's state, the schedule's
    step, the random states and the epoch. A checkpoint is one safetensors file of it, tensors and JSON."""

    def __init__(self, model: torch.nn.Module, steps: int, seed: int) -> None:
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.weights.values(), lr=HYPERPARAMETERS["learning_rate"], weight_decay=HYPERPARAMETERS["weight_decay"]
        )
        self.schedule = torch.optim.lr_scheduler.LinearLR(
            self.optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps
        )
        self.chance = random.Random(seed)
        self.epoch = 0

    def save(self, path: Path, identity: str) -> None:
        """Write a checkpoint, whole: under another name first."""
        adam = self.optimizer.state_dict()
        tensors = {f"weight/{name}": weight.detach() for name, weight in self.weights.items()}
        for index, values in adam["state"].items():
            tensors |= {f"adam/{index}/{name}": value for name, value in values.items()}
        tensors["random"] = torch.get_rng_state()
        state = {
            "epoch": self.epoch,
            "random": self.chance.getstate(),
            "groups": adam["param_groups"],
            "schedule": self.schedule.state_dict(),
        }
        unfinished = path.with_name(path.name + ".tmp")
        facts = {"training": identity, "state": json.dumps(state)}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished, facts)
        unfinished.replace(path)

    def restore(self, path: Path, identity: str) -> None:
        """Go back to where a checkpoint was written. Raises ValueError where that was another training."""
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        if facts.get("training") != identity:
            raise ValueError(
                f"{path} is the checkpoint of another training: the rows, the model, this script with its "
                "hyperparameters, the seed, the number of threads or the version of torch were not the same; "
                "leave out --resume to train from the start"
            )
        state = json.loads(facts["state"])
        adam: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "weight":
                self.weights[rest].data.copy_(tensor)
            elif kind == "adam":
                index, _, part = rest.partition("/")
                adam.setdefault(int(index), {})[part] = tensor
        self.optimizer.load_state_dict({"state": adam, "param_groups": state["groups"]})
        self.schedule.load_state_dict(state["schedule"])
        version, numbers, gauss = state["random"]
        self.chance.setstate((version, tuple(numbers), gauss))
        self.epoch = state["epoch"]
        torch.set_rng_state(tensors["random"])


def identify_training(options: argparse.Namespace) -> str:
    """Return a hash of all that decides what the weights will be."""
    digest = hashlib.sha256(json.dumps([torch.__version__, torch.get_num_threads(), options.seed]).encode())
    model = sorted(path for path in Path(options.model).iterdir() if path.is_file())
    for path in (Path(__file__), *model, Path(options.train), Path(options.valid)):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def train(classifier: Classifier, rows: Sequence[Row], options: argparse.Namespace, progress: TextIO) -> int:
    """Train the adapters and the head on `rows`, telling of every epoch; return the steps of the whole training."""
    epochs = HYPERPARAMETERS["epochs"]
    steps = epochs * -(-len(rows) // HYPERPARAMETERS["batch_size"])
    training = Training(classifier.model, steps, options.seed)
    identity = identify_training(options) if options.checkpoint or options.resume else ""
    if options.resume:
        training.restore(options.resume, identity)
    classifier.model.train()
    while training.epoch < epochs:
        for batch in plan_epoch(rows, training.chance):
            losses, _ = measure_loss(classifier, batch)
            loss = (losses * torch.tensor([row.weight for row in batch])).mean()
            training.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(training.weights.values(), 1.0)
            training.optimizer.step()
            training.schedule.step()
        training.epoch += 1
        complete: list[str] = []
        if options.checkpoint and training.epoch < epochs:
            training.save(options.checkpoint, identity)
            complete.append(options.checkpoint.name)
        step = {"type": "progress", "id": "train", "done": training.epoch, "total": epochs, "outputs": complete}
        print(json.dumps(step), file=progress, flush=True)
    return steps


def save_model(classifier: Classifier, folder: Path) -> None:
    """Write model and tokenizer whole: into another folder first. All may read them, whoever runs them next."""
    unfinished = folder.with_name(folder.name + ".tmp")
    classifier.model.save_pretrained(unfinished)
    classifier.tokenizer.save_pretrained(unfinished)
    unfinished.chmod(0o755)
    for path in unfinished.iterdir():
        path.chmod(0o644)
    unfinished.rename(folder)


def write_metrics(path: Path, metrics: dict[str, float]) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps({"version": 1, **metrics}, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    unfinished.rename(path)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Teach one classifier from labelled rows.")
    parser.add_argument("--model", required=True, help="the model's folder")
    parser.add_argument("--train", required=True, help="parquet with the columns text, label and perhaps more")
    parser.add_argument("--valid", required=True, help="parquet of the same columns, to measure on")
    parser.add_argument("--output", required=True, type=Path, help="the folder to write the model to")
    parser.add_argument("--metrics", required=True, type=Path, help="the json file to write the measures to")
    parser.add_argument("--labels", help="labels.json: the kind of task, and all labels of the rows")
    parser.add_argument("--threads", type=int, help="processor threads (default: the library's choice)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="safetensors to write after every epoch but the last")
    parser.add_argument("--resume", type=Path, help="the checkpoint of this very training to go on from")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
        os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    task = json.loads(Path(options.labels).read_text(encoding="utf-8")) if options.labels else {}
    known, kind = task.get("labels"), task.get("kind", "single_label")
    covered = list(dict.fromkeys(label for label in LABEL_MAP.values() if label is not None))
    classifier = Classifier(options.model, covered, torch.float32, kind)
    classifier.max_tokens = min(classifier.max_tokens, HYPERPARAMETERS["max_tokens"])
    rows, valid = read_rows(options.train, classifier, known), read_rows(options.valid, classifier, known)
    usable = [row for row in rows if is_usable(classifier, row)]
    if not usable or not valid:
        raise ValueError(f"{len(usable)} rows to learn from and {len(valid)} to measure on; both need one at least")
    accuracy_before, loss_before = evaluate(classifier, valid)
    classifier.model = add_adapters(classifier.model)
    steps = train(classifier, usable, options, PROGRESS)
    classifier.model = classifier.model.merge_and_unload()
    accuracy_after, loss_after = evaluate(classifier, valid)
    save_model(classifier, options.output)
    metrics = {
        "train_rows": len(usable),
        "valid_rows": len(valid),
        "skipped_rows": len(rows) - len(usable),
        "steps": steps,
        "accuracy_before": accuracy_before,
        "accuracy_after": accuracy_after,
        "loss_before": loss_before,
        "loss_after": loss_after,
    }
    write_metrics(options.metrics, metrics)
    if options.checkpoint:
        options.checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
