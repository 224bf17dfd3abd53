"""Lists the text classifiers in a cache, for a machine that may not or cannot ask a Hub."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from hub.cache import RepositoryCache
from hub.facts import CLASSIFICATION, YAML_FAULTS, describe_read
from hub.weights import choose_weights
from records.candidate import Candidate

_SMALL_FILE = 1_000_000


def list_cached(cache: RepositoryCache) -> list[Candidate]:
    """Return every text classifier in the cache, read, at its newest commit: one with weights before one without.

    Only files in the cache are listed, with the hashes that name them there. Nothing is known of downloads and likes.
    """
    newest: dict[str, tuple[bool, float, Candidate]] = {}
    for repo_id, commit, folder in cache.snapshots():
        candidate = _describe_snapshot(repo_id, commit, folder)
        if candidate is not None:
            rank = (bool(choose_weights(candidate)), folder.stat().st_mtime, candidate)
            if repo_id not in newest or rank[:2] > newest[repo_id][:2]:
                newest[repo_id] = rank
    return [candidate for _, _, candidate in newest.values()]


def read_cached(cache: RepositoryCache, repo_id: str, commit: str) -> Candidate | None:
    """Return a model as the cache has it at a commit, or None."""
    folder = cache.snapshot(repo_id, commit)
    return _describe_snapshot(repo_id, commit, folder) if folder.is_dir() else None


def rank_by_words(candidates: Iterable[Candidate], query: str, tag: str | None) -> list[Candidate]:
    """Return the candidates (that have a tag, where one is asked for), those first that say most words of the query."""
    words = set(re.findall(r"\w+", query.lower()))
    wanted = [one for one in candidates if tag is None or tag in (*one.tags, *one.languages)]
    return sorted(wanted, key=lambda one: (-len(words & _say_words(one)), one.repo_id))


def _say_words(candidate: Candidate) -> set[str]:
    said = " ".join([candidate.repo_id.replace("_", " "), *candidate.tags, *candidate.id2label.values()])
    return set(re.findall(r"\w+", said.lower()))


def _describe_snapshot(repo_id: str, commit: str, folder: Path) -> Candidate | None:
    """Return what a snapshot's files say of a model, or None where it is no text classifier."""
    config = _parse(json.loads, _read_text(folder / "config.json"))
    card = _read_text(folder / "README.md")
    metadata = _parse(yaml.safe_load, _read_front_matter(card))
    architectures = config.get("architectures")
    named = [str(name) for name in architectures] if isinstance(architectures, list) else []
    if metadata.get("pipeline_tag") != CLASSIFICATION and not any("SequenceClassification" in name for name in named):
        return None
    item = {
        "id": repo_id,
        "sha": commit,
        "pipeline_tag": CLASSIFICATION,
        "cardData": metadata,
        "tags": _collect_tags(metadata),
        "siblings": [_describe_file(path) for path in sorted(folder.iterdir()) if path.is_file()],
    }
    try:
        candidate = describe_read(item, config, card)
    except ValidationError:  # a folder of another program, whose name is no repository's
        return None
    return candidate.model_copy(update={"parameters": _count_parameters(folder, candidate)})


def _describe_file(path: Path) -> dict[str, Any]:
    """Return the facts of a file as a Hub gives them: the link leads to a file whose name is its hash."""
    content_hash = path.resolve().name
    hashes = {"lfs": {"sha256": content_hash}} if len(content_hash) == 64 else {"blobId": content_hash}
    return {"rfilename": path.name, "size": path.stat().st_size, **hashes}


def _count_parameters(folder: Path, candidate: Candidate) -> int | None:
    """Return the number of weights, read from the heads of the files, or None where they are not there or broken."""
    total = 0
    for name in choose_weights(candidate):
        if name.endswith(".safetensors"):
            try:
                with safe_open(folder / name, framework="numpy") as tensors:
                    total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
            except (SafetensorError, OSError):
                return None
    return total or None


def _collect_tags(metadata: Mapping[str, Any]) -> list[str]:
    tags = [("", metadata.get("tags")), ("", metadata.get("language")), ("dataset:", metadata.get("datasets"))]
    tags += [("license:", metadata.get("license")), ("base_model:", metadata.get("base_model"))]
    return [
        f"{prefix}{value}"
        for prefix, values in tags
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str)
    ]


def _read_front_matter(card: str) -> str:
    return card[4:].partition("\n---")[0] if card.startswith("---\n") else ""


def _parse(load: Callable[[str], object], text: str) -> Mapping[str, Any]:
    """Return the mapping that a text holds; empty where it holds another thing or is broken."""
    try:
        value = load(text)
    except YAML_FAULTS:
        return {}
    return value if isinstance(value, dict) else {}


def _read_text(path: Path) -> str:
    """Return a small file's text; empty where there is none or a huge one."""
    if not path.is_file() or path.stat().st_size >= _SMALL_FILE:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
