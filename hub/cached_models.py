"""Lists the text classifiers in a cache, for a machine that may not or cannot ask a Hub."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from hub.cache import RepositoryCache
from hub.facts import CLASSIFICATION, YAML_FAULTS, describe_read
from hub.model_folders import ModelFolders
from hub.weights import choose_weights
from records.candidate import Candidate, slug_of
from records.folder import file_sha256

_SMALL_FILE = 1_000_000


def list_cached(cache: RepositoryCache, models: ModelFolders) -> list[Candidate]:
    """Return every text classifier in the cache, read, at its newest commit: one with weights before one without.

    A commit's files are those of the repository's snapshot and of the model's own folder together. Only files that are
    here are listed, with their hashes. Nothing is known of downloads and likes.
    """
    places: dict[tuple[str, str], list[Path]] = {}
    for repo_id, commit, folder in (*cache.snapshots(), *models.list_models()):
        places.setdefault((repo_id, commit), []).append(folder)
    newest: dict[str, tuple[bool, float, Candidate]] = {}
    for (repo_id, commit), folders in places.items():
        candidate = _describe_places(repo_id, commit, folders)
        if candidate is not None:
            changed = max(folder.stat().st_mtime for folder in folders)
            rank = (bool(choose_weights(candidate)), changed, candidate)
            if repo_id not in newest or rank[:2] > newest[repo_id][:2]:
                newest[repo_id] = rank
    return [candidate for _, _, candidate in newest.values()]


def read_cached(cache: RepositoryCache, models: ModelFolders, repo_id: str, commit: str) -> Candidate | None:
    """Return a model as the cache has it at a commit, or None."""
    places = (cache.snapshot(repo_id, commit), models.place(slug_of(repo_id), commit))
    return _describe_places(repo_id, commit, places)


def rank_by_words(candidates: Iterable[Candidate], query: str, tag: str | None) -> list[Candidate]:
    """Return the candidates (that have a tag, where one is asked for), those first that say most words of the query."""
    words = set(re.findall(r"\w+", query.lower()))
    wanted = [one for one in candidates if tag is None or tag in (*one.tags, *one.languages)]
    return sorted(wanted, key=lambda one: (-len(words & _say_words(one)), one.repo_id))


def _say_words(candidate: Candidate) -> set[str]:
    said = " ".join([candidate.repo_id.replace("_", " "), *candidate.tags, *candidate.id2label.values()])
    return set(re.findall(r"\w+", said.lower()))


def _describe_places(repo_id: str, commit: str, places: Iterable[Path]) -> Candidate | None:
    """Return what the files of one commit, in one or several folders, say of a model, or None where it is no text
    classifier. Of two files of one name the first is taken."""
    paths: dict[str, Path] = {}
    for folder in places:
        found = folder.iterdir() if folder.is_dir() else ()
        paths = {path.name: path for path in found if path.is_file()} | paths
    config = _parse(json.loads, _read_text(paths.get("config.json")))
    card = _read_text(paths.get("README.md"))
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
        "siblings": [_describe_file(path) for _, path in sorted(paths.items())],
    }
    try:
        candidate = describe_read(item, config, card)
    except ValidationError:  # a folder of another program, whose name is no repository's
        return None
    return candidate.model_copy(update={"parameters": _count_parameters(paths, candidate), "source": "cache"})


def _describe_file(path: Path) -> dict[str, Any]:
    """Return the facts of a file as a Hub gives them: of a link to a blob, its name; of any other, its sha256."""
    target, facts = path.resolve(), path.stat()
    is_blob = target.parent.name == "blobs"
    content_hash = target.name if is_blob else _hash_once(path, facts.st_size, facts.st_mtime_ns)
    hashes = {"lfs": {"sha256": content_hash}} if len(content_hash) == 64 else {"blobId": content_hash}
    return {"rfilename": path.name, "size": facts.st_size, **hashes}


@lru_cache(maxsize=1024)
def _hash_once(path: Path, size: int, changed: int) -> str:
    """Return a file's sha256: of gigabytes, and every search of a crawl asks for it. `size` (bytes) and `changed`
    (nanoseconds) tell whether it is still the same file."""
    return file_sha256(path)


def _count_parameters(paths: Mapping[str, Path], candidate: Candidate) -> int | None:
    """Return the number of weights, read from the heads of the files, or None where they are not there or broken."""
    total = 0
    for name in choose_weights(candidate):
        if name.endswith(".safetensors"):
            try:
                with safe_open(paths[name], framework="numpy") as tensors:
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


def _read_text(path: Path | None) -> str:
    """Return a small file's text; empty where there is none or a huge one."""
    if path is None or path.stat().st_size >= _SMALL_FILE:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
