"""Real repositories on disk, a real Hub server over them, and the list of the requests that it answered."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from hub.cache import default_cache
from hub.encoder import fetch_encoder
from hub.server import HubServer, ServedRequest


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Path]:
    """Write a repository under `tmp_path/hub` and return its folder."""

    def write(repo_id: str, *, card: dict | None = None, config: dict | None = None, weights: bool = True) -> Path:
        folder = tmp_path / "hub" / repo_id
        folder.mkdir(parents=True)
        if card is not None:
            (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n\n# {repo_id}\n", encoding="utf-8")
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
        if weights:
            tensors = {"a": np.ones((3, 5), np.float16), "b": np.zeros(7, np.float16)}
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return write


@pytest.fixture
def served_requests() -> list[ServedRequest]:
    return []


@pytest.fixture
def server(
    tmp_path: Path, make_repository: Callable[..., Path], served_requests: list[ServedRequest]
) -> Iterator[HubServer]:
    """A Hub of three text classifiers, one of them without safetensors, and one model of another task."""
    three = {0: "negative", 1: "neutral", 2: "positive"}
    classifier = {"pipeline_tag": "text-classification", "library_name": "transformers", "license": "mit"}
    make_repository(
        "ann/tweet-sentiment",
        card=classifier | {"language": ["en"], "tags": ["sentiment"], "datasets": ["tweets"], "base_model": "b/base"},
        config={
            "architectures": ["RobertaForSequenceClassification"],
            "model_type": "roberta",
            "id2label": three,
            "max_position_embeddings": 66,
            "pad_token_id": 1,
        },
    )
    make_repository("bob/film-sentiment", card=classifier | {"language": "de"}, config={"model_type": "bert"})
    pickled = make_repository("bob/old-sentiment", card=classifier, config={}, weights=False)
    (pickled / "pytorch_model.bin").write_bytes(b"never opened")
    make_repository("b/base", card={"pipeline_tag": "fill-mask", "license": "apache-2.0"}, config={})
    with HubServer(tmp_path / "hub", on_request=served_requests.append) as running:
        yield running


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Make a small disk in memory, or one that cannot be written to, and return its folder; skips without the right."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def encoder_weights() -> Path:
    """The starter hub's encoder, fetched once into the cache that the program itself uses."""
    return fetch_encoder(default_cache(), print)
