"""Every setting of a run, resolved and frozen; saved with the run as `settings.yaml`. It never holds a secret."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from records.base import Record
from records.candidate import Filters

SandboxName = Literal["auto", "docker", "bwrap", "process"]


class Settings(Record):
    """The settings of one run. Figures that are not options of the command line are recorded here all the same."""

    version: Literal[1] = 1
    task: str = Field(min_length=1)
    data: str
    text: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    sheet: str | None = None
    task_file: str | None = None
    """A task.yaml that was written or edited by hand: it is the task, and no analyst is asked."""
    llm: str = "offline"
    llm_concurrency: int = Field(default=4, ge=1)
    """Requests to the language model that are under way at the same time."""
    llm_requests_per_minute: int | None = Field(default=None, ge=1)
    llm_tokens_per_minute: int | None = Field(default=None, ge=1)
    llm_timeout: float = Field(default=120.0, gt=0)
    """Seconds that an endpoint may take for an answer."""
    llm_patience: float = Field(default=1800.0, ge=0)
    """Seconds that a run waits for an endpoint which has answered before and fails now."""
    llm_price: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """USD for a million tokens read and written; None: what the price library says."""
    hub: str = ""
    """A URL, or `starter`; empty: HF_ENDPOINT, else the public Hub."""
    hub_requests: int = Field(default=56, ge=4)
    """Requests to the Hub for one task, before downloads."""
    max_params: int | None = Field(default=None, ge=1)
    licence: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    """What a model must be: at most so many parameters, under one of these licences, for one of these languages."""
    lock: str | None = None
    """A models.lock.json: its models are used, and none are searched for."""
    gold: str | None = None
    """A file with rows of the data and their true labels."""
    models: int = Field(default=3, ge=1, le=16)
    shortlist: int = Field(default=6, ge=1)
    select_threshold: float = Field(default=0.2, ge=0, le=1)
    """A candidate with a lower score of the selector's is not tried."""
    learning: bool = True
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int = Field(default=2, ge=1)
    concurrency: int = Field(default=2, ge=1)
    """Specialists that run at the same time."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the specialists compute in: bfloat16 where this processor has instructions for it."""
    stage_size: int | None = Field(default=None, ge=1)
    """Rows of a stage; None: a quarter of the file, within bounds."""
    shard_size: int = Field(default=1000, ge=1)
    pool_size: int = Field(default=64, ge=8)
    """β: as many reviewed rows start a fine-tune."""
    probe_size: int = Field(default=200, ge=8)
    """Rows on which the candidates are auditioned."""
    probe_pool: int = Field(default=2, ge=1)
    """The candidates annotate so many times that number, to draw the probe by their disagreement."""
    review_share: float = Field(default=0.20, ge=0, le=1)
    """The largest share of a stage that is reviewed for risk."""
    largest_review_share: float = Field(default=0.5, ge=0, le=1)
    """How far the result critic may raise it."""
    spot_check_share: float = Field(default=0.02, ge=0, le=1)
    review_batch: int = Field(default=10, ge=1)
    """Rows in one request to a language model."""
    review_style: Literal["zero", "few", "cot"] = "zero"
    """Without examples, with the nearest reviewed rows as examples, or with the thought before the label."""
    review_reasons: bool = False
    """Whether the reviewer gives a short reason with each label."""
    show_votes: bool = False
    """Whether the reviewer sees what the specialists said."""
    repair_attempts: int = Field(default=4, ge=1)
    sandbox: SandboxName = "auto"
    sandbox_runtime: str | None = Field(default=None, min_length=1)
    """Docker's: runsc, kata, or another that the engine knows."""
    gpus: str | None = Field(default=None, pattern=r"^(all|[1-9]\d*|device=[\w,:-]+)$")
    """Docker's: all, a number, or device=ID,ID."""

    @property
    def filters(self) -> Filters:
        """What the person asks of a model."""
        return Filters(max_params=self.max_params, licences=self.licence, languages=self.language)
