"""Says what the Hub's API says of a model: its fields under the Hub's names, and its tree."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hub.api_error import refuse_entry, refuse_parameter
from hub.repositories import RELATIONS, Repository, RepositoryFile, RepositorySource, write_pointer

_CONFIG_EXCERPT = ("architectures", "auto_map", "model_type", "quantization_config")


def object_id(name: str) -> str:
    """Return 24 hexadecimal digits for a name: the form of the ids in the Hub's database."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _describe_parameters(model: Repository) -> dict | None:
    if not model.parameters:
        return None
    return {"parameters": dict(model.parameters), "total": sum(model.parameters.values())}


def _describe_base_models(model: Repository) -> dict | None:
    if not model.base_models:
        return None
    return {"relation": model.relation, "models": [{"_id": object_id(one), "id": one} for one in model.base_models]}


_FIELDS: Mapping[str, Callable[[Repository], Any]] = {
    "modelId": lambda model: model.repo_id,
    "author": lambda model: model.author,
    "sha": lambda model: model.commit,
    "lastModified": lambda model: model.modified,
    "createdAt": lambda model: model.created,
    "private": lambda model: model.facts.private,
    "gated": lambda model: model.facts.gated,
    "disabled": lambda model: model.facts.disabled,
    "downloads": lambda model: model.facts.downloads,
    "likes": lambda model: model.facts.likes,
    "tags": lambda model: model.tags,
    "pipeline_tag": lambda model: model.pipeline_tag,
    "library_name": lambda model: model.library_name,
    "cardData": lambda model: model.card,
    "config": lambda model: {key: model.config[key] for key in _CONFIG_EXCERPT if key in model.config},
    "baseModels": _describe_base_models,
    "siblings": lambda model: [{"rfilename": file.path} for file in model.files],
    "safetensors": _describe_parameters,
    "usedStorage": lambda model: sum(file.size for file in model.files),
}
DETAIL_FIELDS = frozenset({"childrenModelCount", "usedStorage"})  # the Hub expands these for one model only
LIST_FIELDS = frozenset(_FIELDS) - DETAIL_FIELDS - {"modelId"}
_WHOLE = frozenset(_FIELDS) - {"baseModels"}


def describe_model(repository: Repository, fields: Iterable[str]) -> dict[str, Any]:
    """Return the id and those of the fields that the model has a value for."""
    found = {name: _FIELDS[name](repository) for name in fields}
    return {"id": repository.repo_id} | {name: value for name, value in found.items() if value is not None}


def describe_whole(
    source: RepositorySource, repository: Repository, expand: Iterable[str], *, with_blobs: bool
) -> dict[str, Any]:
    """Return what the Hub says of one model: everything, or its id and the fields to `expand`.

    `with_blobs` adds sizes and hashes of its files. Raises ApiError where a field to expand is not one.
    """
    wanted = check_expand(expand, LIST_FIELDS | DETAIL_FIELDS)
    described = describe_model(repository, (wanted or _WHOLE) - {"childrenModelCount"})
    if "childrenModelCount" in wanted:
        described["childrenModelCount"] = _count_children(source, repository.repo_id)
    if with_blobs and "siblings" in described:
        described["siblings"] = [_describe_file(file) for file in repository.files]
    return described


def check_expand(fields: Iterable[str], allowed: frozenset[str]) -> frozenset[str]:
    """Return the fields to expand as a set. Raises ApiError where one is not allowed."""
    wanted = frozenset(fields)
    for name in sorted(wanted - allowed):
        raise refuse_parameter("expand", name, allowed)
    return wanted


def list_tree(repository: Repository, inner: str, *, recursive: bool) -> list[dict]:
    """Return the files (and folders) under the path `inner`; with `recursive`, of its folders too."""
    prefix = f"{inner}/" if inner else ""
    below = [file for file in repository.files if file.path.startswith(prefix)]
    if not below:
        raise refuse_entry(f"{repository.repo_id} has no folder {inner}")
    entries: dict[str, dict] = {}
    for file in below:
        steps = file.path.removeprefix(prefix).split("/")
        depth = len(steps) if recursive else 1
        for length in range(1, min(depth, len(steps) - 1) + 1):
            folder = prefix + "/".join(steps[:length])
            entries[folder] = {"type": "directory", "oid": repository.commit, "size": 0, "path": folder}
        if depth == len(steps):
            entry = {"type": "file", "oid": file.blob_id, "size": file.size, "path": file.path}
            entries[file.path] = entry | ({"lfs": _describe_pointer(file, "oid")} if file.sha256 else {})
    return [entries[path] for path in sorted(entries)]


def _describe_file(file: RepositoryFile) -> dict:
    facts: dict[str, Any] = {"rfilename": file.path, "size": file.size, "blobId": file.blob_id}
    return facts | ({"lfs": _describe_pointer(file, "sha256")} if file.sha256 else {})


def _describe_pointer(file: RepositoryFile, hash_name: str) -> dict:
    sha256 = file.sha256 or ""
    return {hash_name: sha256, "size": file.size, "pointerSize": len(write_pointer(sha256, file.size))}


def _count_children(source: RepositorySource, repo_id: str) -> dict[str, int]:
    """Return how many public models were made from this one, by relation."""
    counts = Counter(model.relation for model in source if repo_id in model.base_models and not model.facts.private)
    return {relation: counts[relation] for relation in RELATIONS}
