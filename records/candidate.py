"""Models: candidates as the Hub describes them, and specialists as a run uses them."""

from typing import Annotated, Literal

from pydantic import Field

from records.base import Record

RepoId = Annotated[str, Field(pattern=r"^(\w[\w.-]*/)?\w[\w.-]*$")]
"""`owner/name` or `name`. It also names folders: no part may begin with a dot."""


def slug_of(repo_id: str) -> str:
    """Return a repository's name as a folder name: owner/name → owner--name."""
    return repo_id.replace("/", "--")


def repo_of(slug: str) -> str:
    """Return the repository that a slug names; an owner's name has no "--" in it."""
    return slug.replace("--", "/", 1)


class FileFacts(Record):
    """One file of a repository: its size in bytes and, where the Hub announces it, its sha256."""

    path: str
    size: int
    sha256: str | None = None


class Candidate(Record):
    """A model repository at one commit, as the Hub describes it. Every text in it is data from a stranger."""

    repo_id: RepoId
    revision: str
    pipeline_tag: str = ""
    architecture: str = ""
    model_type: str = ""
    id2label: dict[int, str] = Field(default_factory=dict[int, str])
    max_length: int | None = None
    parameters: int | None = None
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licence: str = ""
    datasets: tuple[str, ...] = ()
    base_model: str = ""
    downloads: int = 0
    likes: int = 0
    files: tuple[FileFacts, ...] = ()
    own_code: bool = False
    """Whether its configuration asks for Python code of the repository (`auto_map`)."""
    card: str = ""

    @property
    def slug(self) -> str:
        """The repository's name as a folder name."""
        return slug_of(self.repo_id)


class Selection(Record):
    """A candidate's score (0 to 1) with its reason, and whether it was kept."""

    repo_id: RepoId
    revision: str
    score: float = Field(ge=0, le=1)
    reason: str
    kept: bool


class LabelMap(Record):
    """How a model's classes are read: class index → task label, or None for a class the task has no label for."""

    classes: dict[int, str | None]
    reason: str

    def covered(self) -> frozenset[str]:
        """The task labels that at least one class stands for."""
        return frozenset(label for label in self.classes.values() if label is not None)


class DownloadedModel(Record):
    """A model on this disk: `folder`, and the sha256 of each of its files."""

    repo_id: RepoId
    revision: str
    folder: str
    sha256: dict[str, str]


class Audition(Record):
    """How a candidate did on the probe: its agreement with the other candidates' consensus, from 0 to 1."""

    rows: int
    agreement: float
    label_shares: dict[str, float]
    passed: bool
    reason: str


class Specialist(Record):
    """A model of the ensemble. `version` 0 is as downloaded; n is the n-th promoted fine-tune of this run."""

    name: str
    repo_id: RepoId
    revision: str
    sha256: dict[str, str]
    parameters: int
    label_map: LabelMap
    dtype: Literal["float32", "bfloat16"]
    script: str
    """The folder of the accepted script attempt, relative to the run folder."""
    audition: Audition
    version: int = 0


class ModelsLock(Record):
    """`models.lock.json`: what pins the ensemble."""

    version: Literal[1] = 1
    hub: str
    specialists: tuple[Specialist, ...]
