"""Turns what the Hub says about a model into a Candidate. Every value comes from a stranger and may be malformed."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import yaml

from records.candidate import Candidate, FileFacts

CLASSIFICATION = "text-classification"
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer"})
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit's hash. Nothing else is ever used as one, or becomes a folder's name."""
    return _COMMIT.fullmatch(revision) is not None


def describe_listed(item: Mapping[str, Any]) -> Candidate:
    """Return the candidate for a model as a listing has it, not read.

    Raises ValueError (pydantic's) where its name is no repository's.
    """
    return _describe(item, _read_mapping(item.get("config")), card="", read=False)


LONGEST_CARD = 16_000
"""Characters of a model's card that anybody reads."""

YAML_FAULTS = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError)
"""What YAML's reader raises for metadata that a stranger wrote: its own errors, and those of values that a tag makes it
convert and that are none."""


def describe_read(item: Mapping[str, Any], config: Mapping[str, Any], card: str) -> Candidate:
    """Return the candidate for a model's facts with the metadata of its files, its configuration, and its card.

    A longer card is kept by its beginning and its end, where the warnings stand: whoever wrote it does not decide how
    long it is read.
    """
    if len(card) > LONGEST_CARD:
        card = f"{card[: 3 * LONGEST_CARD // 4]}\n…\n{card[-LONGEST_CARD // 4 :]}"
    return _describe(item, config, card, read=True)


def _describe(item: Mapping[str, Any], config: Mapping[str, Any], card: str, *, read: bool) -> Candidate:
    metadata = _read_mapping(item.get("cardData"))
    architectures = _read_texts(config.get("architectures"))
    total = _read_mapping(item.get("safetensors")).get("total")
    revision = _read_text(item.get("sha"))
    return Candidate(
        repo_id=_read_text(item.get("id")),
        revision=revision if is_commit(revision) else "",
        pipeline_tag=_read_text(item.get("pipeline_tag")),
        architecture=architectures[0] if architectures else "",
        model_type=_read_text(config.get("model_type")),
        id2label=_read_labels(config) if read else {},
        max_length=_read_max_length(config) if read else None,
        parameters=_read_count(total) or None,
        tags=_read_texts(item.get("tags")),
        languages=_read_texts(metadata.get("language")),
        licence=", ".join(_read_texts(metadata.get("license"))),
        datasets=_read_texts(metadata.get("datasets")),
        base_model=", ".join(_read_texts(metadata.get("base_model"))),
        downloads=_read_count(item.get("downloads")),
        likes=_read_count(item.get("likes")),
        created=_read_text(item.get("createdAt")),
        modified=_read_text(item.get("lastModified")),
        closed=_read_closed(item),
        files=read_files(item) if read else (),
        own_code="auto_map" in config,
        card=card,
        read=read,
    )


def read_files(item: Mapping[str, Any]) -> tuple[FileFacts, ...]:
    """Return the files of a model's facts, with what is announced of their content where that is well-formed."""
    siblings = item.get("siblings")
    files: list[FileFacts] = []
    for sibling in siblings if isinstance(siblings, list) else ():
        facts = _read_mapping(sibling)
        sha256, blob_id = _read_text(_read_mapping(facts.get("lfs")).get("sha256")), _read_text(facts.get("blobId"))
        files.append(
            FileFacts(
                path=_read_text(facts.get("rfilename")),
                size=_read_count(facts.get("size")),
                sha256=sha256 if _SHA256.fullmatch(sha256) else None,
                blob_id=blob_id if is_commit(blob_id) and not sha256 else None,
            )
        )
    return tuple(file for file in files if file.path)


def _read_closed(item: Mapping[str, Any]) -> Literal["gated", "private", "disabled"] | None:
    if item.get("disabled"):
        return "disabled"
    if item.get("private"):
        return "private"
    return "gated" if item.get("gated") else None


def _read_labels(config: Mapping[str, Any]) -> dict[int, str]:
    """Return class index → name. A configuration that names none has the two that transformers gives then."""
    named = config.get("id2label", {0: "LABEL_0", 1: "LABEL_1"})
    if not isinstance(named, Mapping):
        return {}
    try:
        labels = {int(index): str(name) for index, name in sorted(named.items(), key=lambda item: int(item[0]))}
    except (TypeError, ValueError):
        return {}
    return labels if min(labels, default=0) >= 0 else {}


def _read_max_length(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens the model reads, where its configuration says so."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return None
    pad = config.get("pad_token_id")
    offset = (pad if isinstance(pad, int) else 1) + 1 if config.get("model_type") in _OFFSET_POSITIONS else 0
    return max(positions - offset, 1)


def _read_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _read_count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 2**63 else 0


def _read_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a value that may be one text, a list of them, or anything else."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str))
