"""Says beforehand which files of a model a download takes, and whether they fit on the disk."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hub.disk import find_existing
from hub.facts import is_commit
from hub.weights import choose_weights, find_refusal
from records.base import Record
from records.candidate import Candidate, FileFacts
from records.errors import InfrastructureError, ModelError

_MODEL_FILES = frozenset(
    {
        *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "bpe.codes"),
    }
)


class PlannedFile(Record):
    """A file that a model needs: its size, how many of these bytes are in the cache already, and whether the model's
    own folder is whole."""

    repo_id: str
    path: str
    size: int
    cached: int
    placed: bool


class DiskNeed(Record):
    """The bytes that a download writes below `folder`, and those that are free on its disk."""

    folder: str
    size: int
    free: int


class DownloadPlan(Record):
    """What a download will fetch, and what it takes of each disk that it writes to."""

    files: tuple[PlannedFile, ...]
    disks: tuple[DiskNeed, ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> int:
        """The bytes that are still to be fetched."""
        return sum(file.size - file.cached for file in self.files)


def choose_files(candidate: Candidate) -> list[FileFacts]:
    """Return the files to download: settings and tokenizer, then the weights, their index first.

    Raises ModelError where nothing of the model is ever downloaded.
    """
    if refusal := find_refusal(candidate):
        raise ModelError(f"{candidate.repo_id}: {refusal}.", next_step="Choose a model with safetensors weights.")
    if not is_commit(candidate.revision):
        raise ModelError(
            f"{candidate.repo_id}: {candidate.revision!r:.60} is no commit.",
            next_step="Name the commit's 40 hexadecimal digits.",
        )
    by_name = {file.path: file for file in candidate.files}
    settings = sorted(name for name in by_name if name in _MODEL_FILES)
    return [by_name[name] for name in (*settings, *choose_weights(candidate))]


def measure_disks(files: Sequence[PlannedFile], cache: Path, models: Path) -> tuple[DiskNeed, ...]:
    """Return what the files take of the disk of the Hub's cache and, where it is another, of that of the models'
    folders: on one disk a model's folder has second names of the cache's files, on another it has copies."""
    missing = sum(file.size - file.cached for file in files)
    needs = {cache: missing}
    if find_existing(cache).stat().st_dev != find_existing(models).stat().st_dev:
        needs[models] = sum(file.size for file in files if not file.placed)
    return tuple(
        DiskNeed(folder=str(folder), size=size, free=shutil.disk_usage(find_existing(folder)).free)
        for folder, size in needs.items()
    )


def check_space(plan: DownloadPlan) -> None:
    """Raise InfrastructureError where a download does not fit on a disk that it writes to."""
    for disk in plan.disks:
        if disk.size > disk.free:
            raise InfrastructureError(
                f"The download needs {disk.size:,} bytes, and the disk of {disk.folder} has {disk.free:,} free.",
                next_step="Make room, or set HF_HOME and AUTOANNOTATOR_CACHE to folders on a larger disk, and resume "
                "the run; or try fewer or smaller models in another: --shortlist N, --max-params 150M.",
            )
