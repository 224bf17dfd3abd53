"""The task: what the sentence asks for, resolved."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from records.base import Record

Kind = Literal["single_label", "multi_label", "text_pair"]
"""One label a text; any number of labels a text; one label for two texts together."""

CANNOT_TELL = "cannot tell"
"""What a reviewer says of a row that allows no decision; no label may have this name."""


class LabelSpec(Record):
    """One label of the task. `example_pair` is the second text of the example where the task is about pairs."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    definition: str = ""
    example: str = ""
    example_pair: str = ""


class TaskSpec(Record):
    """What is to be done, as written to `task.yaml`; the analyst makes it from the person's sentence."""

    version: Literal[1] = 1
    sentence: str = Field(min_length=1)
    kind: Kind = "single_label"
    labels: tuple[LabelSpec, ...] = Field(min_length=2)
    text_columns: tuple[str, ...] = Field(min_length=1)
    language: str = "en"
    family: str = ""
    """What kind of judgement this is, in the field's words ("sentiment analysis"); it starts the search."""
    domain: str = ""
    """Where the texts come from, in a word or two ("film reviews")."""
    guidelines: str = ""
    edge_cases: tuple[str, ...] = ()
    """Rules for unclear cases, one each ("sarcasm counts by what is meant")."""
    inferred: tuple[str, ...] = ()
    """The fields that nobody stated and the analyst inferred."""

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        names = [label.name.casefold() for label in self.labels]
        if len(set(names)) != len(names):
            raise ValueError(f"labels must differ, got {', '.join(self.label_names)}")
        if CANNOT_TELL in names:
            raise ValueError(f"no label may be called {CANNOT_TELL!r}: reviewers say so of rows that allow no decision")
        return self

    @model_validator(mode="after")
    def _check_texts(self) -> Self:
        if self.kind == "text_pair" and len(self.text_columns) != 2:
            raise ValueError(f"a pair of texts needs two text columns, got {len(self.text_columns)}")
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)
