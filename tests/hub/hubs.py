"""Writes the same models as a folder of repositories and as a catalogue."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

FACTS = ("created", "modified", "downloads", "likes", "gated", "private", "disabled", "pipeline_tag")
TWEETS = "ann/tweet-sentiment"
BASE = "bert-team/base"


def model(repo_id: str, *, card: dict | None = None, config: dict | None = None, **facts: object) -> dict:
    """Return a record; `files` are names beside README.md and config.json, safetensors of `parameters` by default."""
    text = f"---\n{yaml.safe_dump(card)}---\n\n# {repo_id}\n" if card is not None else ""
    record = {"id": repo_id, "card": text, "config": config, "files": ("model.safetensors",), "parameters": 100}
    return record | facts


CLASSIFIER = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "dtype": "float32"}
MODELS = (
    model(BASE, card={"license": "apache-2.0"}, config={"architectures": ["BertForMaskedLM"], "model_type": "bert"})
    | {"downloads": 900, "likes": 9, "created": "2022-01-05T00:00:00Z", "modified": "2022-01-06T00:00:00Z"},
    model(
        TWEETS,
        card={
            **{"license": "mit", "language": ["en", "de"], "tags": ["sentiment"], "datasets": ["tweet_eval"]},
            **{"base_model": BASE, "library_name": "transformers", "pipeline_tag": "text-classification"},
        },
        config=CLASSIFIER | {"id2label": {"0": "bad", "1": "good"}},
    )
    | {"downloads": 500, "likes": 20, "created": "2023-01-05T00:00:00Z", "modified": "2026-01-06T00:00:00Z"},
    model("ann/tweet-sentiment-gguf", card={"base_model": TWEETS}, files=("model.gguf",), parameters=None, downloads=9),
    model(
        "bob/adapter", card={"base_model": BASE}, files=("adapter_config.json", "adapter_model.safetensors"), likes=4
    ),
    model("bob/merged", card={"base_model": [BASE, TWEETS]}, config=CLASSIFIER, parameters=2000),
    model("bob/onnx", card={"base_model": BASE}, files=("onnx/model.onnx",), parameters=None),
    model("bob/said", card={"base_model": TWEETS, "base_model_relation": "quantized"}, config=CLASSIFIER),
    model("corp/disabled", card={"base_model": BASE}, config=CLASSIFIER, disabled=True),
    model("corp/gated-film", card={"base_model": BASE}, config=CLASSIFIER, gated="manual", downloads=700),
    model("corp/private-film", card={"base_model": BASE}, config=CLASSIFIER, private=True, downloads=5000),
)
COLLECTIONS = (
    {"slug": "ann/sentiment-1", "title": "Sentiment", "updated": "2026-01-01T00:00:00Z", "upvotes": 2}
    | {"items": [TWEETS, BASE, "corp/private-film", "bob/merged", "bob/said", "bob/adapter"]},
    {"slug": "bob/odds-2", "title": "Odds and ends", "updated": "2026-02-01T00:00:00Z", "items": ["bob/merged"]},
    {"slug": "bob/secret-3", "title": "Secret", "updated": "2026-02-01T00:00:00Z", "items": [TWEETS], "private": True},
)


def write_catalogue(path: Path, models: Iterable[Mapping], collections: Iterable[Mapping] = ()) -> Path:
    """Return the catalogue of these models, every file of 1,000 bytes."""
    records = [
        {**one, "files": [{"path": name, "size": 1000} for name in one["files"]], "invented": True, "source": None}
        for one in models
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*records, *collections]), encoding="utf-8")
    return path


def write_folder(root: Path, models: Iterable[Mapping], collections: Iterable[Mapping] = ()) -> Path:
    """Return the folder of these models, with their facts in its side file."""
    facts: dict[str, dict] = {}
    for one in models:
        folder = root / one["id"]
        folder.mkdir(parents=True)
        if one["card"]:
            (folder / "README.md").write_text(one["card"], encoding="utf-8")
        if one["config"] is not None:
            (folder / "config.json").write_text(json.dumps(one["config"]), encoding="utf-8")
        for name in one["files"]:
            _write_file(folder / name, one["parameters"])
        facts[one["id"]] = {name: one[name] for name in FACTS if name in one}
    side = {"models": facts, "collections": list(collections)}
    (root / "hub.json").write_text(json.dumps(side), encoding="utf-8")
    return root


def _write_file(path: Path, parameters: int) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".safetensors":
        save_file({"weights": np.arange(parameters, dtype=np.float32)}, path)
    else:
        path.write_bytes(b"x" * 1000)


def write_film_models(folder: Path) -> Path:
    """Return a catalogue of forty models of film sentiment that are worth reading."""
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "negative", "1": "positive"}}
    card = {"pipeline_tag": "text-classification", "language": "en"}
    models = [model(f"u{n}/film-sentiment-{n}", card=card, config=config, downloads=n) for n in range(40)]
    return write_catalogue(folder / "catalogue.jsonl", models)
