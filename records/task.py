"""The task: what the sentence asks for, resolved."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from records.base import Record


class LabelSpec(Record):
    """One label of the task."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    definition: str = ""
    example: str = ""


class TaskSpec(Record):
    """What is to be done, as written to `task.yaml`; the analyst makes it from the person's sentence."""

    version: Literal[1] = 1
    sentence: str = Field(min_length=1)
    kind: Literal["single_label"] = "single_label"
    labels: tuple[LabelSpec, ...] = Field(min_length=2)
    text_columns: tuple[str, ...] = Field(min_length=1)
    language: str = "en"
    family: str = ""
    """What kind of judgement this is, in the field's words ("sentiment analysis"); it starts the search."""
    guidelines: str = ""
    inferred: tuple[str, ...] = ()
    """The fields that nobody stated and the analyst inferred."""

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        names = [label.name.casefold() for label in self.labels]
        if len(set(names)) != len(names):
            raise ValueError(f"labels must differ, got {', '.join(self.label_names)}")
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)
