"""Makes ordinary Hub repositories of the starter hub from what git keeps and the encoder's weights.

Git keeps each fine-tune as an adapter with its head, and each small model whole; the encoder's weights are fetched.
The merge gives the same bits everywhere, so the sha256 of every built weight is known beforehand (`manifest.json`).
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from hub.disk import keeping
from hub.starter.adapters import merge_adapter
from hub.starter.manifest import ENCODER_FOLDER, ENCODER_SHA256, SPECIALISTS_FOLDER, hash_shipped_files, read_manifest
from hub.starter.recipes import ENCODER, OWNER
from records.errors import InfrastructureError

WEIGHTS = "model.safetensors"
ADAPTER = "adapter.safetensors"


def starter_weight_hashes() -> frozenset[str]:
    """Return the sha256 of every model.safetensors of a built starter hub, the encoder's included."""
    return frozenset(entry.sha256 for entry in read_manifest().values()) | {ENCODER_SHA256}


def build_starter_hub(encoder_weights: Path, target: Path) -> Path:
    """Return a folder of repositories `owner/name` inside `target`, building it where it is not there yet.

    The folder is named by a hash of what is shipped, and appears whole. Raises InfrastructureError where a built weight
    has another sha256 than the manifest's, or the disk does not take the folder.
    """
    finished = target / hash_shipped_files()[:16]
    if finished.is_dir():
        return finished
    with keeping("The starter hub", target):
        target.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=target))
        try:
            _build_repositories(encoder_weights, unfinished)
            _move_into_place(unfinished, finished)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return finished


def build_specialist(source: Path, encoder: Mapping[str, np.ndarray], repository: Path) -> str:
    """Write one specialist as an ordinary repository, and return the sha256 of its weights.

    `source` holds the files that git keeps; `encoder` maps the encoder's tensor names to float32 arrays.
    """
    repository.mkdir(parents=True)
    files = [source / "config.json", source / "README.md"]
    if (source / ADAPTER).exists():
        weights = save(merge_adapter(encoder, load_file(source / ADAPTER)), metadata={"format": "pt"})
        files += [ENCODER_FOLDER / "tokenizer.json", ENCODER_FOLDER / "tokenizer_config.json"]
    else:
        weights = (source / WEIGHTS).read_bytes()
        files += [source / "tokenizer.json", source / "tokenizer_config.json"]
    for file in files:
        shutil.copyfile(file, repository / file.name)
    (repository / WEIGHTS).write_bytes(weights)
    return hashlib.sha256(weights).hexdigest()


def _build_repositories(encoder_weights: Path, folder: Path) -> None:
    shutil.copytree(ENCODER_FOLDER, folder / ENCODER)
    shutil.copyfile(encoder_weights, folder / ENCODER / WEIGHTS)
    encoder = load_file(encoder_weights)
    for name, entry in read_manifest().items():
        found = build_specialist(SPECIALISTS_FOLDER / name, encoder, folder / OWNER / name)
        if found != entry.sha256:
            raise InfrastructureError(
                f"The starter hub's model {name} was built with sha256 {found}; the manifest says {entry.sha256}.",
                next_step="Install the package again; if it stays so, report the processor and the numpy version.",
            )


def _move_into_place(unfinished: Path, finished: Path) -> None:
    unfinished.chmod(0o755)
    try:
        unfinished.rename(finished)
    except OSError:
        if not finished.is_dir():  # otherwise another process has just finished the same folder
            raise
