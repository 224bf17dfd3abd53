"""A toy task that a tiny transformer really learns, and tiny models of several architectures, made here."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILLERS = [f"word{n}" for n in range(60)]
GOOD, BAD = ["good", "great", "lovely", "fine"], ["bad", "awful", "dull", "poor"]
LABELS = ("negative", "positive")
LABEL_MAP = {0: "negative", 1: "positive"}


@dataclass(frozen=True)
class ToyRow:
    text: str
    label: str


def make_rows(count: int, seed: int) -> list[ToyRow]:
    """Rows of filler words with one word that tells the label."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        words = chance.choices(FILLERS, k=chance.randint(2, 20))
        label = chance.choice(LABELS)
        words.insert(chance.randrange(len(words)), chance.choice(GOOD if label == "positive" else BAD))
        rows.append(ToyRow(" ".join(words), label))
    return rows


def save_tokenizer(folder: Path, kind: str) -> int:
    """Save a word tokenizer with the special tokens of `kind`; return its number of tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if kind == "roberta":
        special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
        first, last = "<s>", "</s>"
    else:
        special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        first, last = "[CLS]", "[SEP]"
    words = [*special.values(), *FILLERS, *GOOD, *BAD]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    second = 0 if kind == "roberta" else 1
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:{second} {last}:{second}",
        special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
    )
    names = ["input_ids", "attention_mask", *([] if kind == "roberta" else ["token_type_ids"])]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=names, **special)
    fast.save_pretrained(folder)
    return len(words)


def save_model(folder: Path, kind: str, **config: object) -> Path:
    """Save a tiny random classifier of an architecture, with its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes = {
        "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "pad_token_id": 0},
        "roberta": {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1},
    }
    shared = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    own = sizes.get(kind, {})
    torch.manual_seed(0)
    settings = {
        **({} if kind == "distilbert" else shared),
        **own,
        "vocab_size": save_tokenizer(folder, kind),
        "max_position_embeddings": 64,
        **config,
    }
    AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **settings)).save_pretrained(folder)
    return folder


def train_toy_model(folder: Path, steps: int) -> None:
    """Train the BERT in `folder` on the toy task, from scratch."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)  # more only get in each other's way on a model this small
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    for step in range(steps):
        rows = make_rows(32, seed=step)
        batch = tokenizer([row.text for row in rows], padding=True, return_tensors="pt")
        labels = torch.tensor([LABELS.index(row.label) for row in rows])
        loss = model(batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def write_texts(path: Path, texts: list[str | None], pairs: list[str | None] | None = None) -> None:
    """Write a script's input; ids start at 10."""
    columns = {"id": pa.array(range(10, 10 + len(texts)), pa.int64()), "text": pa.array(texts, pa.string())}
    columns |= {} if pairs is None else {"text_pair": pa.array(pairs, pa.string())}
    pq.write_table(pa.table(columns), path)


def write_labelled(path: Path, rows: list[ToyRow], weights: list[float] | None = None) -> None:
    columns: dict[str, list] = {"id": list(range(len(rows)))}
    columns |= {"text": [row.text for row in rows], "label": [row.label for row in rows]}
    if weights is not None:
        columns["weight"] = weights
    pq.write_table(pa.table(columns), path)


def write_labels(path: Path, labels: tuple[str, ...] = LABELS, kind: str = "single_label") -> Path:
    path.write_text(json.dumps({"version": 1, "labels": labels, "kind": kind}), encoding="utf-8")
    return path
