"""The catalogue of model records that the search is measured on: its tasks, and which models a reader marked as right.

A folder of the same four files (`--data`) is read the same way; `bench/data/catalogue/README.md` describes them.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from agents.analyst_rules import OfflineAnalyst
from agents.base import ColumnSample, TaskRequest
from records.base import Record
from records.errors import DataError
from records.task import TaskSpec

CATALOGUE = Path(__file__).parent / "data" / "catalogue"
MODELS = "models.jsonl"
Split = Literal["tuning", "held_out"]
SPLITS: tuple[Split, ...] = ("tuning", "held_out")
_MANY_LANGUAGES = {"multilingual": "mul"}


class CatalogueTask(Record):
    """A labelling task as a person would hand it over, and its split: a change to the rules looks at "tuning" only."""

    name: str
    sentence: str
    labels: tuple[str, ...]
    language: str
    domain: str
    examples: tuple[str, ...]
    split: Split


class Marks(Record):
    """What a reader of the records said of a task: the right models, and those that are nearly so or are not, with the
    reason."""

    right: tuple[str, ...]
    borderline: dict[str, str]
    why_not: dict[str, str]


def read_tasks(folder: Path) -> tuple[CatalogueTask, ...]:
    """Return the tasks of a catalogue, in its order. Raises DataError where they cannot be read."""
    path = folder / "tasks.json"
    content = _read_json(path)
    try:
        return tuple(CatalogueTask.model_validate(one) for one in content)
    except (TypeError, ValidationError) as error:
        raise _not_a_catalogue(path, error) from error


def read_marks(folder: Path, split: Split) -> dict[str, Marks]:
    """Return the marks of a split's tasks, by the task's name. Raises DataError where they cannot be read."""
    path = folder / f"marks_{split}.json"
    content = _read_json(path)
    try:
        return {name: Marks.model_validate(one) for name, one in content.items()}
    except (AttributeError, ValidationError) as error:
        raise _not_a_catalogue(path, error) from error


def make_task(task: CatalogueTask) -> TaskSpec:
    """Return the task as a run without a language model has it: labels and language as given, the rest by the rules.

    What the texts are about is not told them: the rules read it out of the sentence, as in a run.
    """
    column = ColumnSample(name="text", type="string", is_text=True, values=task.examples)
    rows: tuple[dict[str, str | None], ...] = tuple({"text": text} for text in task.examples)
    found = OfflineAnalyst().analyse(
        TaskRequest(sentence=task.sentence, labels=task.labels, text_columns=("text",), columns=(column,), rows=rows)
    )
    return found.model_copy(update={"language": _MANY_LANGUAGES.get(task.language, task.language)})


def _read_json(path: Path) -> Any:  # noqa: ANN401 (checked by the callers)
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _not_a_catalogue(path, error) from error


def _not_a_catalogue(path: Path, error: Exception) -> DataError:
    return DataError(
        str(path),
        f"cannot be read as part of a catalogue: {error}",
        next_step="Give a folder with models.jsonl, tasks.json, marks_tuning.json and marks_held_out.json, or leave "
        "--data out for the shipped catalogue.",
    )
