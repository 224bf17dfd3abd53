"""Turns what the Hub says about a model into a Candidate. Every value comes from a stranger and may be malformed."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelInfo

from records.candidate import Candidate, FileFacts

_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer"})


def describe_candidate(info: ModelInfo, config: Mapping[str, Any], card: str) -> Candidate:
    """Return the candidate for a model's facts, its configuration and the text of its card.

    `info` must come with the files' metadata and the commit.
    """
    metadata = info.card_data.to_dict() if info.card_data else {}
    architectures = _read_texts(config.get("architectures"))
    return Candidate(
        repo_id=info.id,
        revision=info.sha or "",
        pipeline_tag=info.pipeline_tag or "",
        architecture=architectures[0] if architectures else "",
        model_type=_read_text(config.get("model_type")),
        id2label=_read_labels(config),
        max_length=_read_max_length(config),
        parameters=info.safetensors.total if info.safetensors else None,
        tags=tuple(info.tags or ()),
        languages=_read_texts(metadata.get("language")),
        licence=", ".join(_read_texts(metadata.get("license"))),
        datasets=_read_texts(metadata.get("datasets")),
        base_model=", ".join(_read_texts(metadata.get("base_model"))),
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        files=tuple(
            FileFacts(
                path=file.rfilename, size=file.size or 0, sha256=file.lfs.sha256 if file.lfs is not None else None
            )
            for file in info.siblings or ()
        ),
        own_code="auto_map" in config,
        card=card,
    )


def _read_labels(config: Mapping[str, Any]) -> dict[int, str]:
    """Return class index → name. A configuration that names none has the two that transformers gives then."""
    named = config.get("id2label", {0: "LABEL_0", 1: "LABEL_1"})
    if not isinstance(named, Mapping):
        return {}
    try:
        return {int(index): str(name) for index, name in sorted(named.items(), key=lambda item: int(item[0]))}
    except (TypeError, ValueError):
        return {}


def _read_max_length(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens the model reads, where its configuration says so."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return None
    pad = config.get("pad_token_id")
    offset = (pad if isinstance(pad, int) else 1) + 1 if config.get("model_type") in _OFFSET_POSITIONS else 0
    return max(positions - offset, 1)


def _read_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a value that may be one text, a list of them, or anything else."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str))
