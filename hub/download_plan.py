"""Says beforehand which files of a model a download takes, and whether they fit on the disk."""

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
    """A file that a model needs: its size, and how many of these bytes are in the cache already."""

    repo_id: str
    path: str
    size: int
    cached: int


class DownloadPlan(Record):
    """What a download will fetch into `folder`, on a disk with `free` bytes."""

    files: tuple[PlannedFile, ...]
    folder: str
    free: int

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


def check_space(plan: DownloadPlan) -> None:
    """Raise InfrastructureError where a download does not fit on the disk."""
    if plan.missing > plan.free:
        raise InfrastructureError(
            f"The download needs {plan.missing:,} bytes, and the disk of {plan.folder} has {plan.free:,} free.",
            next_step="Make room, or set HF_HOME and AUTOANNOTATOR_CACHE to folders on a larger disk, and resume the "
            "run; or try fewer or smaller models in another: --shortlist N, --max-params 150M.",
        )
