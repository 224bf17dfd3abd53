"""Trains the starter hub's specialists: `python -m hub.starter.train --data DIR`.

DIR holds the corpora named in `corpora.py` as parquet files. For each recipe it trains on the train side, keeps the
epoch that is best on the validation slice, writes what git keeps, builds the ordinary model from that, measures it on
the held-out side, and writes the card and the manifest. Each is trained by one thread, two at a time: the same data and
seed give the same files on machines of one kind.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import numpy as np
import torch
from peft import PeftModel
from safetensors.numpy import load_file, save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hub.cache import default_cache
from hub.encoder import fetch_encoder
from hub.starter import architectures
from hub.starter.build import ADAPTER, WEIGHTS, build_specialist
from hub.starter.cards import choose_licence, write_card
from hub.starter.corpora import CORPORA, Row, load_rows
from hub.starter.fitting import Example, encode, fit
from hub.starter.manifest import (
    ENCODER_FOLDER,
    MANIFEST,
    SPECIALISTS_FOLDER,
    ManifestEntry,
    read_manifest,
    write_manifest,
)
from hub.starter.measuring import measure_specialist
from hub.starter.recipes import MAX_TOKENS, RECIPES, Recipe
from hub.starter.split import in_validation_slice

SEED = 0
PROCESSES = 2
_MOST_MEASURED = 6000
_LEARNING_RATE = {"minilm": 1e-3, "distilbert": 2e-3, "roberta": 2e-3}


def main() -> None:
    """Train every specialist, or the one named with --only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora's parquet files")
    parser.add_argument("--only", choices=[recipe.name for recipe in RECIPES], help="train this specialist alone")
    arguments = parser.parse_args()
    encoder = fetch_encoder(default_cache(), print)
    chosen = [recipe for recipe in RECIPES if arguments.only in (None, recipe.name)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(train_specialist, recipe, arguments.data, encoder) for recipe in chosen]
        for trained in as_completed(waiting):
            _add_to_manifest(trained.result())


def train_specialist(recipe: Recipe, data: Path, encoder: Path) -> dict[str, ManifestEntry]:
    """Train one specialist, write what git keeps of it with its card, and return its entry for the manifest."""
    started = time.monotonic()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    corpus = CORPORA[recipe.corpus]
    rows = load_rows(corpus, data, "train")
    train = cap_classes([row for row in rows if not in_validation_slice(row.text)], recipe.rows_per_class)
    valid = [row for row in rows if in_validation_slice(row.text)]
    if recipe.architecture == "minilm":
        model, tokenizer = architectures.adapt_encoder(recipe, ENCODER_FOLDER, encoder)
    else:
        make = architectures.FROM_SCRATCH[recipe.architecture]
        model, tokenizer = make(recipe, [row.text for row in train])
    fit(
        model,
        cast(int, tokenizer.pad_token_id),
        _encode_rows(recipe, tokenizer, train),
        _encode_rows(recipe, tokenizer, valid),
        _weigh_classes(recipe, train),
        epochs=recipe.epochs,
        learning_rate=_LEARNING_RATE[recipe.architecture],
        seed=SEED,
        report=lambda line: print(f"{recipe.name}: {line}", flush=True),
    )
    folder = SPECIALISTS_FOLDER / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_model(model, tokenizer, folder)
    held_out = draw_rows(load_rows(corpus, data, "held_out"), _MOST_MEASURED)
    entry = _measure_and_describe(recipe, folder, held_out, len(train), encoder)
    print(f"{recipe.name}: {len(train)} rows, {time.monotonic() - started:.0f} s, {entry.held_out}", flush=True)
    return {recipe.name: entry}


def cap_classes(rows: Sequence[Row], rows_per_class: int | None) -> list[Row]:
    """Return the first `rows_per_class` rows of each class, or all rows where that is None."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row.label] += 1
        if rows_per_class is None or seen[row.label] <= rows_per_class:
            kept.append(row)
    return kept


def draw_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most `most` rows, drawn uniformly with a fixed seed, in the order of the corpus."""
    if len(rows) <= most:
        return list(rows)
    chosen = np.random.default_rng(SEED).choice(len(rows), most, replace=False)
    return [rows[index] for index in sorted(chosen)]


def _encode_rows(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> list[Example]:
    classes = {label: index for index, label in enumerate(recipe.labels)}
    sequences = encode(tokenizer, [row.text for row in rows], MAX_TOKENS)
    return [(ids, classes[row.label]) for ids, row in zip(sequences, rows, strict=True)]


def _weigh_classes(recipe: Recipe, rows: Sequence[Row]) -> torch.Tensor:
    """Return the weight of each class in the loss: inversely to its rows where the recipe asks so, else one."""
    if not recipe.weigh_classes:
        return torch.ones(len(recipe.labels))
    counts = Counter(row.label for row in rows)
    return torch.tensor([len(rows) / (len(recipe.labels) * counts[label]) for label in recipe.labels])


def _write_model(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write config.json with the adapter and head, or with the whole small model and its tokenizer."""
    if isinstance(model, PeftModel):
        plain = cast(PreTrainedModel, model.get_base_model())
        save_file(_collect_adapter(model), folder / ADAPTER)
    else:
        plain = model
        tensors = {name: tensor.numpy().astype(np.float16) for name, tensor in model.state_dict().items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        tokenizer.save_pretrained(folder)
    settings = plain.config.to_dict() | {"architectures": [type(plain).__name__], "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _collect_adapter(model: PeftModel) -> dict[str, np.ndarray]:
    """Return the trained tensors in float16 under the names that `adapters.merge_adapter` reads, the scale in B."""
    adapter = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        value = parameter.detach().numpy()
        short = name.removeprefix("base_model.model.")
        short = short.replace(".modules_to_save.default", "")
        short = short.replace(".lora_A.default.weight", ".lora_A")
        if ".lora_B." in short:
            short = short.replace(".lora_B.default.weight", ".lora_B")
            value = value * architectures.LORA_SCALE
        adapter[short] = value.astype(np.float16)
    return adapter


def _measure_and_describe(
    recipe: Recipe, folder: Path, held_out: Sequence[Row], train_rows: int, encoder: Path
) -> ManifestEntry:
    """Build the ordinary model, measure it, write its card, and return its entry for the manifest."""
    corpus = CORPORA[recipe.corpus]
    (folder / "README.md").touch()
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary) / recipe.name
        sha256 = build_specialist(folder, load_file(encoder), repository)
        measure = measure_specialist(repository, held_out, recipe.labels)
    (folder / "README.md").write_text(write_card(recipe, corpus, train_rows, measure), encoding="utf-8")
    return ManifestEntry(sha256=sha256, corpus=corpus.name, licence=choose_licence(recipe, corpus), held_out=measure)


def _add_to_manifest(trained: dict[str, ManifestEntry]) -> None:
    """Put the entries of the trained specialists in the manifest, in the order of the recipes."""
    known = (read_manifest() if MANIFEST.exists() else {}) | trained
    write_manifest({recipe.name: known[recipe.name] for recipe in RECIPES if recipe.name in known})


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
