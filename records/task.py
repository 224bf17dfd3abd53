"""The task: what the sentence asks for, resolved."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from records.base import Record

Kind = Literal["single_label", "multi_label", "text_pair"]
"""One label a text; any number of labels a text; one label for two texts together."""

CANNOT_TELL = "cannot tell"
"""What a reviewer says of a row that allows no decision; no label may have this name."""
LONGEST_NAME = 100
"""Characters of a label's name."""


def fold(text: object) -> object:
    """Return a text in one line; whatever else it is comes back as it is."""
    return " ".join(text.split()) if isinstance(text, str) else text


def _refuse_reserved(name: str) -> str:
    if name.casefold() == CANNOT_TELL:
        raise ValueError(f"no label may be called {CANNOT_TELL!r}: reviewers say so of rows that allow no decision")
    return name


Line = Annotated[str, StringConstraints(max_length=1000), BeforeValidator(fold)]
"""Words in one line: line breaks become spaces."""
LabelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME),
    BeforeValidator(fold),
    AfterValidator(_refuse_reserved),
]


class LabelSpec(Record):
    """One label of the task. `example_pair` is the second text of the example where the task is about pairs."""

    name: LabelName
    definition: Line = ""
    example: Line = ""
    example_pair: Line = ""


class TaskSpec(Record):
    """What is to be done, as written to `task.yaml`; the analyst makes it from the person's sentence."""

    version: Literal[1] = 1
    sentence: str = Field(min_length=1)
    kind: Kind = "single_label"
    labels: tuple[LabelSpec, ...] = Field(min_length=2)
    text_columns: tuple[str, ...] = Field(min_length=1)
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    """ISO 639: en, pt-BR."""
    domain: Line = ""
    """Where the texts come from, in a word or two ("film reviews")."""
    family: Line = ""
    """What kind of judgement this is, in the field's words ("sentiment analysis"); it starts the search."""
    guidelines: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""
    edge_cases: tuple[Line, ...] = Field(default=(), max_length=20)
    """Rules for unclear cases, one each ("sarcasm counts by what is meant")."""
    gold_sample: Literal["random"] | None = None
    """What the person says of their gold rows: `random`, a uniform sample of the rows of this file."""
    inferred: tuple[str, ...] = ()
    """The fields that nobody stated and the analyst inferred."""

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: tuple[LabelSpec, ...]) -> tuple[LabelSpec, ...]:
        names = [label.name.casefold() for label in labels]
        doubled = dict.fromkeys(label.name for label in labels if names.count(label.name.casefold()) > 1)
        if doubled:
            raise ValueError(f"labels must differ, and these do not: {', '.join(doubled)}")
        return labels

    @model_validator(mode="after")
    def _check_texts(self) -> Self:
        if self.kind == "text_pair" and len(set(self.text_columns)) != 2:
            raise ValueError(f"a pair of texts needs two text columns, got {', '.join(self.text_columns)}")
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)
