"""What a repository of models is, wherever it is kept, and what the Hub derives from its card, settings and files."""

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol

import yaml
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from pydantic import Field

from hub.facts import YAML_FAULTS
from records.base import Record

RELATIONS = ("adapter", "finetune", "merge", "quantized")
_LARGE_FILES = frozenset({".safetensors", ".bin", ".pt", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf", ".pkl", ".ot"})
_FILE_TAGS = {
    "*.safetensors": "safetensors",
    "pytorch_model*.bin": "pytorch",
    "tf_model*.h5": "tf",
    "flax_model*.msgpack": "jax",
    "*.onnx": "onnx",
    "*.gguf": "gguf",
}
_QUANTISED_TAGS = frozenset({"gguf", "gptq", "awq", "bitsandbytes", "hqq", "exl2", "4-bit", "8-bit", "quantized"})
_TASK_OF_ARCHITECTURE = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
}


class HubFacts(Record):
    """What a Hub knows of a repository beside its files. Dates that are not given are those of the files."""

    created: datetime | None = None
    modified: datetime | None = None
    downloads: int = Field(default=0, ge=0)
    likes: int = Field(default=0, ge=0)
    gated: Literal[False, "auto", "manual"] = False
    private: bool = False
    disabled: bool = False
    pipeline_tag: str | None = None


class Collection(Record):
    """Models that somebody put together; `slug` is owner/title-id, `items` are ids of models in their order."""

    slug: str = Field(pattern=r"^[^/]+/[^/]+$")
    title: str
    updated: datetime
    items: tuple[str, ...]
    description: str | None = None
    upvotes: int = Field(default=0, ge=0)
    private: bool = False

    @property
    def owner(self) -> str:
        return self.slug.partition("/")[0]


@dataclass(frozen=True)
class RepositoryFile:
    """One file: its size in bytes, git blob id, and, of a large one, sha256; `content` is None where it is not kept."""

    path: str
    size: int
    blob_id: str
    sha256: str | None
    content: Path | bytes | None

    @property
    def etag(self) -> str:
        """What identifies the content: the sha256 of a large file, else the git blob id."""
        return self.sha256 or self.blob_id

    def open(self) -> BinaryIO:
        """Return the content as a stream. Raises FileNotFoundError where it is not kept."""
        if self.content is None:
            raise FileNotFoundError(self.path)
        return BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")


@dataclass(frozen=True)
class Repository:
    """One repository at one commit.

    `changed` is when its files changed last; `parameters` are the weights' counts by dtype, as safetensors has them.
    """

    repo_id: str
    commit: str
    files: tuple[RepositoryFile, ...]
    facts: HubFacts
    changed: datetime
    parameters: Mapping[str, int]

    @property
    def author(self) -> str:
        return self.repo_id.rpartition("/")[0]

    @property
    def created(self) -> str:
        return _write_date(self.facts.created or self.changed)

    @property
    def modified(self) -> str:
        return _write_date(self.facts.modified or self.changed)

    @functools.cached_property
    def card(self) -> dict:
        """The metadata at the head of README.md; empty where there is none or it is not valid YAML."""
        text = self._read_text("README.md")
        if not text.startswith("---\n"):
            return {}
        try:
            metadata = yaml.load(text[4:].partition("\n---")[0], Loader=yaml.CSafeLoader)
        except YAML_FAULTS:
            return {}
        return metadata if isinstance(metadata, dict) else {}

    @functools.cached_property
    def config(self) -> dict:
        """The content of config.json; empty where there is none or it is not a JSON object."""
        try:
            config = json.loads(self._read_text("config.json") or "{}")
        except ValueError:
            return {}
        return config if isinstance(config, dict) else {}

    @functools.cached_property
    def pipeline_tag(self) -> str | None:
        """The task: what the facts say, else the card, else what the architecture is for."""
        if "pipeline_tag" in self.facts.model_fields_set:
            return self.facts.pipeline_tag
        named = self.card.get("pipeline_tag")
        if isinstance(named, str):
            return named
        architectures = [str(name) for name in _as_list(self.config.get("architectures"))]
        tasks = (
            task for end, task in _TASK_OF_ARCHITECTURE.items() if any(name.endswith(end) for name in architectures)
        )
        return next(tasks, None)

    @functools.cached_property
    def library_name(self) -> str | None:
        """The library that loads it: what the card says, else what its files are made for."""
        named = self.card.get("library_name")
        if isinstance(named, str):
            return named
        if self.find("adapter_config.json"):
            return "peft"
        return "transformers" if self.config.get("model_type") else None

    @functools.cached_property
    def base_models(self) -> list[str]:
        """The models that this one was made from, as its card names them."""
        return [str(name) for name in _as_list(self.card.get("base_model")) if name]

    @functools.cached_property
    def relation(self) -> str:
        """How it was made from its base models: what the card says, else what files and tags show."""
        declared = self.card.get("base_model_relation")
        if declared in RELATIONS:
            return declared
        tags = {str(tag).lower() for tag in _as_list(self.card.get("tags"))}
        kinds = self._file_tags
        if self.library_name == "peft" or self.find("adapter_config.json"):
            return "adapter"
        converted = "gguf" in kinds or ("onnx" in kinds and not {"safetensors", "pytorch"} & set(kinds))
        if converted or tags & _QUANTISED_TAGS or "quantization_config" in self.config:
            return "quantized"
        return "merge" if tags & {"merge", "mergekit"} or len(self.base_models) > 1 else "finetune"

    @functools.cached_property
    def tags(self) -> list[str]:
        """The tags that the Hub derives from the card, the configuration and the files."""
        card = self.card
        found = [self.library_name, *self._file_tags, self.config.get("model_type"), self.pipeline_tag]
        found += _as_list(card.get("tags")) + _as_list(card.get("language"))
        found += [f"dataset:{name}" for name in _as_list(card.get("datasets"))]
        for name in self.base_models:
            found += [f"base_model:{name}", f"base_model:{self.relation}:{name}"]
        found += [f"license:{name}" for name in _as_list(card.get("license"))]
        return list(dict.fromkeys(str(tag) for tag in found if tag))

    @functools.cached_property
    def tag_set(self) -> frozenset[str]:
        return frozenset(self.tags)

    def find(self, path: str) -> RepositoryFile | None:
        """Return the file at `path`, or None."""
        return next((file for file in self.files if file.path == path), None)

    @property
    def _file_tags(self) -> list[str]:
        names = [PurePosixPath(file.path).name for file in self.files]
        return [tag for pattern, tag in _FILE_TAGS.items() if any(fnmatch(name, pattern) for name in names)]

    def _read_text(self, path: str) -> str:
        file = self.find(path)
        if file is None or file.content is None:
            return ""
        with file.open() as stream:
            return stream.read().decode("utf-8", errors="replace").replace("\r\n", "\n")


class RepositorySource(Protocol):
    """Where repositories come from: a folder of them, or a catalogue."""

    @property
    def collections(self) -> tuple[Collection, ...]: ...

    def __iter__(self) -> Iterator[Repository]:
        """Yield every repository at its present commit."""
        ...

    def versions(self, repo_id: str) -> tuple[Repository, ...]:
        """Return the repository at its present commit, then at earlier ones; empty where there is none."""
        ...


def is_repo_id(repo_id: str) -> bool:
    """Whether the Hub's own client takes the name; other folders are none of its repositories."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        return False
    return repo_id.count("/") == 1


def is_large(path: str) -> bool:
    """Whether the Hub keeps such a file outside git, under its sha256."""
    return PurePosixPath(path).suffix in _LARGE_FILES


def derive_commit(files: Iterable[RepositoryFile]) -> str:
    """Return a hash of the files: the same files, the same commit."""
    listing = "".join(f"{file.blob_id} {file.path}\n" for file in files)
    return hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()


def write_pointer(sha256: str, size: int) -> bytes:
    """Return what git keeps in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_blob_id(content: bytes) -> str:
    """Return the id under which git keeps this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _write_date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _as_list(value: object) -> list:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
