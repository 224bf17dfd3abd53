"""Says which files of a repository are weights that may be loaded, or why there are none. Only safetensors are."""

import json
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open

from records.candidate import Candidate

WEIGHT_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_ADAPTER = "adapter_model.safetensors"
_NEVER_LOADED = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".pkl", ".pickle", ".joblib", ".npz", ".onnx", ".gguf", ".ot"}
)


def choose_weights(candidate: Candidate) -> tuple[str, ...]:
    """Return the names of the files to load, the index of shards first; () where `find_refusal` says why not."""
    names = {file.path for file in candidate.files}
    if _WHOLE in names:
        return (_WHOLE,)
    shards = sorted(name for name in names if _SHARD.fullmatch(name))
    return (WEIGHT_INDEX, *shards) if shards and WEIGHT_INDEX in names else ()


def find_refusal(candidate: Candidate) -> str | None:
    """Return why nothing of this repository is ever loaded, or None. The words hold no text of the repository."""
    if candidate.own_code:
        return "its config.json asks for Python code of its own (auto_map), and no repository's code is ever run"
    if choose_weights(candidate):
        return None
    names = {file.path for file in candidate.files}
    if _ADAPTER in names:
        return "it is an adapter to another model, and only whole models are loaded"
    if candidate.source == "cache":
        return "weights not in the cache: only what was read of it is here, and HF_HUB_OFFLINE forbids to ask for more"
    others = sorted({PurePosixPath(name).suffix for name in names} & _NEVER_LOADED)
    found = f" (it has {', '.join(others)} files)" if others else ""
    return f"only safetensors weights are ever loaded, and it has no whole set of them at its root{found}"


def find_fault(path: Path, names: Collection[str]) -> str | None:
    """Return why a downloaded file must not be loaded, or None: a broken index of shards, or no safetensors inside.

    `names` are the files that are loaded together. An index decides what transformers opens, and as what.
    """
    if path.name == WEIGHT_INDEX:
        return _find_index_fault(path, names)
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="numpy"):
                return None
        except (SafetensorError, OSError) as failure:
            return f"{path.name} holds no safetensors: {failure}"
    return None


def _find_index_fault(path: Path, names: Collection[str]) -> str | None:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return f"{path.name} is not JSON"
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict) or not shards:
        return f"{path.name} has no weight_map"
    strange = sorted({str(name) for name in shards.values() if name not in names or not _SHARD.fullmatch(str(name))})
    return f"{path.name} names {strange[0]!r:.100}, which is no shard of this repository" if strange else None
