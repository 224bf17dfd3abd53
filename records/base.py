"""The base of every record."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable, fully typed value; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
