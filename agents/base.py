"""The roles of the meta-controller. Each has an implementation without a language model ("offline") and one over
any chat model; `agents.team.make_team` picks. An agent sees records and returns records: no sandbox, no run folder.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from records.base import Record
from records.candidate import Candidate, Crawl, Filters, LabelMap, Relation, Selection
from records.figures import StageFigures
from records.rows import Review
from records.task import TaskSpec
from templates.renderer import Example, Hyperparameters


class ColumnSample(Record):
    """One column of the person's file, its type in Arrow's words, and up to 20 of its values."""

    name: str
    type: str
    is_text: bool
    values: tuple[str, ...]


class PersonAnswer(Record):
    """What the person was asked, about the labels or about the text column, and what they said to it."""

    asks: Literal["labels", "text"]
    question: str
    answer: str


class TaskRequest(Record):
    """What the analyst starts from: the sentence, what the person stated, and a look at the file.

    `rows` are up to 20 whole rows, column → value. `answers` are to the questions put in this run, in their order.
    """

    sentence: str
    labels: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    columns: tuple[ColumnSample, ...]
    rows: tuple[dict[str, str | None], ...] = ()
    answers: tuple[PersonAnswer, ...] = ()


class Analyst(Protocol):
    def analyse(self, request: TaskRequest) -> TaskSpec:
        """Return the task. Raises TaskUnclearError where labels or text column cannot be told, naming the option."""
        ...


class HubTools(Protocol):
    """What a crawler may do with a Hub. `requests` counts those made so far. Each method raises HubUnreachableError
    where the Hub does not answer; gated, private and disabled models come back as such (`closed`)."""

    @property
    def requests(self) -> int: ...

    def allow(self, requests: int) -> AbstractContextManager[None]:
        """Return a context in which at most so many requests are made, repetitions and redirects too: the methods
        below raise RequestsSpentError instead of a further one."""
        ...

    def search(self, query: str, limit: int, tag: str | None = None) -> tuple[Candidate, ...]:
        """Return text classifiers whose names have the query's words and that have the tag, where one is given, the
        most downloaded first, as listed: one request."""
        ...

    def expand(self, candidate: Candidate, along: Relation, limit: int) -> tuple[Candidate, ...]:
        """Return text classifiers that a link leads to from a model, as listed; () where it has no such link."""
        ...

    def read(self, candidate: Candidate) -> Candidate | None:
        """Return a listed model with its configuration, files and card at its commit: three requests at most. None
        where it cannot be had (any more)."""
        ...


class Crawler(Protocol):
    def crawl(self, task: TaskSpec, tools: HubTools, filters: Filters, budget: int) -> Crawl:
        """Return the models found for a task within a budget of requests, the promising ones read.

        Raises HubUnreachableError, RequestsSpentError where the budget was spent before a model was found, and with a
        language model ReplyError and LLMUnreachableError.
        """
        ...


class Selector(Protocol):
    def select(
        self, task: TaskSpec, candidates: Sequence[Candidate], keep: int, filters: Filters
    ) -> tuple[Selection, ...]:
        """Score every candidate and mark at most `keep` of them as kept, the best first."""
        ...


class ScriptParts(Record):
    """What differs between models in their generated scripts. None: the template's default.

    `preprocess` is the body of `def preprocess(text: str, text_pair: str | None) -> str | tuple[str, str]`,
    `read_logits` that of `def read_logits(logits: torch.Tensor, problem_type: str) -> torch.Tensor`, which returns
    class probabilities (n_rows, n_classes). `script` is a whole annotate.py, where the template cannot fit; such a
    model is not fine-tuned.
    """

    label_map: LabelMap
    preprocess: str | None = None
    read_logits: str | None = None
    script: str | None = None
    hyperparameters: Hyperparameters | None = None
    training_reason: str = ""
    reason: str = ""
    prompt: str = ""
    reply: str = ""
    """The prompt and the raw reply it was made from; empty without a language model."""
    prompt_hash: str = ""


class Failure(Record):
    """Why an attempt was refused: the test's output (its beginning and its end) and the critic's reasons."""

    parts: ScriptParts
    output: str
    reasons: tuple[str, ...]


class Coder(Protocol):
    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model, mending the last failure; None: nothing more to try."""
        ...


class ModelCases(Record):
    """Rows that a script is tested on beside those that every script is. `prompt` and `reply` as in ScriptParts."""

    cases: tuple[Example, ...] = ()
    prompt: str = ""
    reply: str = ""
    prompt_hash: str = ""


class TestWriter(Protocol):
    def write_cases(self, task: TaskSpec, candidate: Candidate) -> ModelCases:
        """Return rows that scripts for this model and task are likely to break on. They are data, never code."""
        ...


class Verdict(Record):
    """A critic's verdict on a script, with its reasons; each names a line of the script where it is about one."""

    approved: bool
    reasons: tuple[str, ...] = ()


class Critic(Protocol):
    def criticise(
        self, task: TaskSpec, candidate: Candidate, parts: ScriptParts, script: str, *, passed: bool, output: str
    ) -> Verdict:
        """Judge a script after its test. What failed its test is never approved."""
        ...


class ReviewRow(Record):
    """A row for review; `row` is the internal row number, `text_pair` the second text of a pair."""

    row: int
    text: str
    text_pair: str | None = None
    votes: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Specialist → what it said, where the reviewer is to see it."""


class KnownRow(Record):
    """A row that a language model, a person or gold rows decided: an example for a reviewer. One label, or several
    or none where the task allows that."""

    text: str
    text_pair: str | None = None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Consensus:
    """What a reviewer without a language model learns from and predicts with.

    `features` (n_rows, n_features) and `labels` (n_rows,) (codes of the task's answers) are rows on which all
    specialists agree; where a text has any number of labels, `agreed` (n_rows, n_labels) says of which labels they do;
    `review_features` (n_review, n_features) and `review_vote` (n_review, n_labels), the
    specialists' mean probabilities, are of the rows to review, in the request's order.
    """

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    review_features: npt.NDArray[np.float32]
    review_vote: npt.NDArray[np.float64]
    agreed: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class ReviewRequest:
    task: TaskSpec
    rows: tuple[ReviewRow, ...]
    consensus: Consensus | None = None
    """None for a reviewer with a language model."""
    known: tuple[KnownRow, ...] = ()
    """Rows decided in earlier steps, for a reviewer that learns from examples; never a row of an audit."""
    stage: int | None = None
    """The stage that the review is for, so that its cost is known; None: before the stages."""


class Reviewer(Protocol):
    @property
    def source(self) -> str:
        """What `source` its labels carry: llm or offline."""
        ...

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order. A row that got no usable answer is marked failed, with a reason.

        Rows for which the budget had no money left are missing, and never marked failed: the reviews are then those
        of a subset, in the request's order. Raises LLMUnreachableError where the endpoint does not answer.
        """
        ...


Action = Literal["go_on", "raise_review_share", "drop_specialist", "relabel_pair", "stop_run"]


class Decision(Record):
    """What the result critic wants done after a stage: one action, and what it is about.

    `evidence`: the figures that speak for it, by their names; any action but go_on has one at least.
    """

    action: Action
    review_share: float | None = None
    specialist: str | None = None
    labels: tuple[str, ...] = Field(default=(), max_length=2)
    evidence: dict[str, float]
    reason: str

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        needed = {
            "raise_review_share": self.review_share is not None,
            "drop_specialist": self.specialist is not None,
            "relabel_pair": len(set(self.labels)) == 2,
        }
        if not needed.get(self.action, True) or (self.action != "go_on" and not self.evidence):
            raise ValueError(f"{self.action} lacks what it is about, or its evidence")
        return self


class ResultCritic(Protocol):
    def criticise(self, task: TaskSpec, figures: StageFigures) -> Decision | None:
        """Return what should be done after this stage; None: the figures were not judged.

        Raises ReplyError where no reply could be used, LLMUnreachableError, and BudgetReachedError.
        """
        ...


@dataclass(frozen=True)
class Team:
    """The agents of one run. `description` is shown wherever their work is ("offline: no language model")."""

    analyst: Analyst
    crawler: Crawler
    selector: Selector
    coder: Coder
    test_writer: TestWriter
    critic: Critic
    reviewer: Reviewer
    result_critic: ResultCritic
    description: str
    check: Callable[[], None] = lambda: None
    """Raises SettingsError where the endpoint cannot do what is asked of it; nothing of the person's is sent."""
