"""Every setting of a run, resolved and frozen; saved with the run as `settings.yaml`. It never holds a secret."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from records.base import Record
from records.candidate import Filters

OFFLINE_SHARE = 0.20

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
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """USD that the run may spend on the language model; None: no limit. `resume --budget` writes a larger one."""
    batch_api: bool = False
    """Whether reviews go to the endpoint's batches, at half the price and answered within a day."""
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
    vote: Literal["calibrated", "soft", "majority", "dawid_skene"] = "calibrated"
    """How the specialists' opinions become a label; all but the first take a reviewer's answers as they are."""
    rule: Literal["risk", "disagreement"] = "risk"
    """Which rows are reviewed: those where it is worth most, or (the paper's rule) those that specialists dispute."""
    worth: float = Field(default=0.1, ge=0, lt=1)
    """The errors that a review must be expected to remove."""
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
    calibration_size: int = Field(default=200, ge=0)
    """Gold rows that a language model is asked about as well, so that its errors are counted on truth."""
    probe_pool: int = Field(default=2, ge=1)
    """The candidates annotate so many times that number, to draw the probe by their disagreement."""
    review_share: float | None = Field(default=None, ge=0, le=1)
    """The largest share of a stage that is reviewed for risk; None: all of it with a language model, OFFLINE_SHARE
    without one."""
    largest_review_share: float = Field(default=0.5, ge=0, le=1)
    """How far the result critic may raise it."""
    spot_check_share: float = Field(default=0.02, ge=0, le=1)
    review_batch: int = Field(default=10, ge=1)
    """Rows in one request to a language model."""
    review_style: Literal["zero", "few", "cot"] = "zero"
    """Without examples, with the nearest reviewed rows as examples, or with the thought before the label."""
    review_reasons: bool = False
    """Whether the reviewer gives a short reason with each label."""
    target_error: float | None = Field(default=None, gt=0, lt=1)
    """The largest share of all labels that may differ from the expert's; None: whatever it is, it is stated."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """With which confidence the certificate holds."""
    show_votes: bool = False
    """Whether the reviewer sees what the specialists said."""
    repair_attempts: int = Field(default=4, ge=1)
    sandbox: SandboxName = "auto"
    sandbox_runtime: str | None = Field(default=None, min_length=1)
    """Docker's: runsc, kata, or another that the engine knows."""
    gpus: str | None = Field(default=None, pattern=r"^(all|[1-9]\d*|device=[\w,:-]+)$")
    """Docker's: all, a number, or device=ID,ID."""

    @property
    def first_review_share(self) -> float:
        """The largest share of a stage that is reviewed for risk, until the result critic raises it."""
        return self.review_share if self.review_share is not None else OFFLINE_SHARE if self.llm == "offline" else 1.0

    @property
    def filters(self) -> Filters:
        """What the person asks of a model."""
        return Filters(max_params=self.max_params, licences=self.licence, languages=self.language)
