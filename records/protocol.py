"""The wire formats between the host and a generated script: one JSON object a line.

The script reads requests on standard input and writes replies on standard output; what it prints elsewhere is
log. File names in a request are relative to the worker's working directory (`in/…` is read-only, `out/…` is
writable). The first line a worker writes is `WorkerReady`.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from records.base import Record
from records.task import Kind

PROTOCOL_VERSION = 1
_WORD = r"^[\w.-]{0,64}$"
"""What a script says of itself is shown to people."""


class LabelsFile(Record):
    """`labels.json`: the task's labels, in the order of every `probs` list, and what kind of answer a row gets."""

    version: Literal[1] = 1
    kind: Kind = "single_label"
    labels: tuple[str, ...] = Field(min_length=2)


class AnnotateRequest(Record):
    """Annotate the rows of `input` (columns id, text; for pairs text_pair too) and write `output` in the same order."""

    op: Literal["annotate"] = "annotate"
    id: str
    input: str
    output: str
    features: bool = False
    """Whether the mean-pooled last hidden state is wanted too."""
    classes: bool = False
    """Whether the probabilities of the model's own classes are wanted too, before the label map."""


class WorkerReady(Record):
    type: Literal["ready"] = "ready"
    protocol: int = PROTOCOL_VERSION
    model_type: str = Field(default="", pattern=_WORD)
    parameters: int = 0
    hidden_size: int = 0
    dtype: str = Field(default="", pattern=_WORD)
    bf16_native: bool = False
    """Whether this processor has bfloat16 matrix instructions."""


class WorkerProgress(Record):
    """A step of the request `id`, or, of a program that serves none, of the whole (`id` is then its own word)."""

    type: Literal["progress"] = "progress"
    id: str
    done: int = Field(ge=0, lt=2**31)
    total: int = Field(ge=0, lt=2**31)
    outputs: tuple[str, ...] = ()
    """Declared outputs that are complete now, a checkpoint perhaps, and may be written anew later."""


class WorkerResult(Record):
    type: Literal["result"] = "result"
    id: str
    rows: int = Field(ge=0, lt=2**53)
    tokens: int = Field(default=0, ge=0, lt=2**53)
    """Tokens run through the model, padding not counted."""


class WorkerFailure(Record):
    """The request failed and the worker goes on serving."""

    type: Literal["error"] = "error"
    id: str
    error: str


WorkerReply = Annotated[WorkerReady | WorkerProgress | WorkerResult | WorkerFailure, Field(discriminator="type")]
WORKER_REPLY: TypeAdapter[WorkerReply] = TypeAdapter(WorkerReply)


class TrainingMetrics(Record):
    """`metrics.json`: what a fine-tune script measured on its validation rows, before and after (accuracy, 0 to 1)."""

    version: Literal[1] = 1
    train_rows: int = Field(ge=0)
    valid_rows: int = Field(ge=0)
    skipped_rows: int = Field(ge=0)
    """Rows whose label the model has no class for."""
    steps: int = Field(ge=0)
    accuracy_before: float = Field(ge=0, le=1)
    accuracy_after: float = Field(ge=0, le=1)
    loss_before: float = Field(allow_inf_nan=False)
    loss_after: float = Field(allow_inf_nan=False)
