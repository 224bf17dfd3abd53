"""Models: candidates as the Hub describes them, and specialists as a run uses them."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, NonNegativeInt, model_validator

from records.base import Record

RepoId = Annotated[str, Field(pattern=r"^(\w[\w.-]*/)?\w[\w.-]*$")]
"""`owner/name` or `name`. It also names folders: no part may begin with a dot."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A number of things or bytes, as 64 bits hold it."""
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A number from 0 on, neither infinite nor "not a number"."""
ClassIndex = NonNegativeInt


def slug_of(repo_id: str) -> str:
    """Return a repository's name as a folder name: owner/name → owner--name."""
    return repo_id.replace("/", "--")


def repo_of(slug: str) -> str:
    """Return the repository that a slug names; an owner's name has no "--" in it."""
    return slug.replace("--", "/", 1)


def _check_inside(path: str) -> str:
    """Return a file's path in its repository. Raises ValueError for one that leads out of it."""
    if path.startswith("/") or "\\" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(f"the path {path!r} leads out of the repository")
    return path


class FileFacts(Record):
    """One file of a repository: its size in bytes and what the Hub announces of its content: of a large file the
    sha256, of any other the git blob id."""

    path: Annotated[str, AfterValidator(_check_inside)]
    size: Count
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    blob_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """The hashes name files of the cache: nothing else may stand there."""


class Candidate(Record):
    """A model repository at one commit, as the Hub describes it. Every text in it is data from a stranger."""

    repo_id: RepoId
    revision: str
    pipeline_tag: str = ""
    architecture: str = ""
    model_type: str = ""
    id2label: dict[ClassIndex, str] = Field(default_factory=dict[int, str])
    max_length: int | None = None
    parameters: Count | None = None
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licence: str = ""
    datasets: tuple[str, ...] = ()
    base_model: str = ""
    downloads: int = 0
    likes: int = 0
    created: str = ""
    modified: str = ""
    """ISO 8601 dates; empty where the Hub does not say."""
    closed: Literal["gated", "private", "disabled"] | None = None
    """Why the repository cannot be had without asking, where it cannot."""
    files: tuple[FileFacts, ...] = ()
    own_code: bool = False
    """Whether its configuration asks for Python code of the repository (`auto_map`)."""
    card: str = ""
    read: bool = True
    """Whether its configuration, files and card were read; else only what a listing shows is known: no `id2label`,
    `max_length`, `files`, `own_code` and `card`."""
    source: Literal["hub", "cache", "lock"] = "hub"
    """Who says all this: the Hub, the files that this disk's cache holds (of which there may be more on the Hub), or
    the lock that pins the model."""

    @property
    def slug(self) -> str:
        """The repository's name as a folder name."""
        return slug_of(self.repo_id)


Relation = Literal["base_model", "finetunes", "datasets", "author", "collection", "tags"]
"""What leads from one model to others: what it was made from, what was made from it, the data it was taught with,
its author's other models, the collections it is in, and models with the same telling tags."""


class Filters(Record):
    """What a person asks of a model: None and () ask nothing."""

    max_params: int | None = None
    licences: tuple[str, ...] = ()
    """The Hub's licence names, any of which will do ("apache-2.0", "mit")."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes, any of which will do; a multilingual model is of every language."""


class CrawlStep(Record):
    """One act of a crawl, in its order: what was done, how many models that showed and how many of them were new, how
    many requests it cost, and why it was done."""

    action: Literal["search", "expand", "read", "stop"]
    query: str = ""
    model: str = ""
    along: Relation | None = None
    found: int = 0
    new: int = 0
    requests: int = 0
    reason: str = ""


class Crawl(Record):
    """What a crawl saw: every model once, and the steps that led there."""

    candidates: tuple[Candidate, ...]
    steps: tuple[CrawlStep, ...]

    @property
    def requests(self) -> int:
        """How many requests to the Hub it took."""
        return sum(step.requests for step in self.steps)


class Selection(Record):
    """A candidate's score (0 to 1) with its reason, and whether it was kept. `spare`: only better ones are before it,
    and it takes the place of one that cannot be had. `copy_of`: nothing but the same weights under that name is before
    it, and it takes that model's place before any spare one."""

    repo_id: RepoId
    revision: str
    score: float = Field(ge=0, le=1)
    reason: str
    kept: bool
    spare: bool = False
    copy_of: RepoId | None = None


class LabelMap(Record):
    """How a model's classes are read: class index → task label, or None for a class the task has no label for.

    `guessed`: nothing says so; it only lets the model run until its rows show what its classes mean.
    """

    classes: dict[ClassIndex, str | None]
    reason: str
    guessed: bool = False

    def covered(self) -> frozenset[str]:
        """The task labels that at least one class stands for."""
        return frozenset(label for label in self.classes.values() if label is not None)


class DownloadedModel(Record):
    """A model on this disk: `folder`, and the sha256 of each of its files."""

    repo_id: RepoId
    revision: str
    folder: str
    sha256: dict[str, str]


MapStatus = Literal["verified", "corrected", "untested", "unverified"]


class MapVerdict(Record):
    """Whether a model's classes mean what they are read as, judged on the probe.

    `proposed` is the map from names and card, `found` the best one on the probe; a class that the probe says nothing
    about keeps its proposed label. `margin`, from -1 to 1: how much the worst told-apart pair of labels would lose by
    being swapped. verified: `proposed` holds; corrected: `found` replaces it; untested: the rows cannot judge it and do
    not contradict it, and `proposed` stands; unverified: neither is sure enough, and the model has no vote.
    """

    status: MapStatus
    proposed: dict[ClassIndex, str | None]
    found: dict[ClassIndex, str | None]
    margin: FiniteFloat
    reason: str


class RowCost(Record):
    """What a model costs on a row of this task: the parameters run for every token, the tokens of a mean row, and the
    bytes of its weights. `seconds` a row were measured here; they are shown and decide nothing."""

    parameters: Count
    tokens: Amount
    memory: Count
    seconds: Amount | None = None

    @property
    def price(self) -> float:
        """What models are compared by: the geometric mean of the multiplications a row, about parameters times tokens,
        and the bytes. A model ten times dearer in both is ten times dearer."""
        return math.sqrt(self.parameters * self.tokens * self.memory)


class Audition(Record):
    """How a candidate did on the probe; every figure undoes how the probe's rows were chosen.

    `accuracy` is balanced over the labels that the probe's rows have, with its standard error; `agreement` is with the
    other candidates' vote; `truth` says where the probe's labels come from; `weight` is what its vote counts.
    """

    rows: Count
    truth: Literal["gold", "human", "llm", "consensus"]
    accuracy: Amount
    accuracy_error: Amount
    agreement: Amount
    label_shares: dict[str, Amount]
    label_map: MapVerdict
    cost: RowCost
    weight: Amount
    passed: bool
    reason: str


class ScriptSource(Record):
    """What a specialist's scripts are rendered from beside its label map (see `agents.base.ScriptParts`)."""

    preprocess: str | None = None
    read_logits: str | None = None
    script: str | None = None
    hyperparameters: dict[str, FiniteFloat] | None = None


class Specialist(Record):
    """A model of the ensemble. `version` 0 is as downloaded; n is the n-th promoted fine-tune of this run."""

    name: str
    repo_id: RepoId
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    """The commit."""
    files: tuple[FileFacts, ...]
    """The files that are used: they and no others are downloaded again with this lock."""
    id2label: dict[ClassIndex, str]
    parameters: Count
    label_map: LabelMap
    dtype: Literal["float32", "bfloat16"]
    source: ScriptSource
    script: str
    """The folder of the accepted script attempt, relative to the run folder."""
    audition: Audition
    version: Count = 0

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if self.name != slug_of(self.repo_id):
            raise ValueError(f"the name of {self.repo_id} is {slug_of(self.repo_id)}, not {self.name}")
        return self


class ModelsLock(Record):
    """`models.lock.json`: what pins the ensemble."""

    version: Literal[2] = 2
    hub: str
    specialists: tuple[Specialist, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        total = sum(one.audition.weight for one in self.specialists)
        if not 0 < total < math.inf:
            raise ValueError(f"the weights of the specialists' votes add up to {total}, and a vote needs more than 0")
        return self
