"""`task.yaml`, a file for people: a run writes it, a person edits it and gives it back with `--task`."""

import datetime
import difflib
from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from records.errors import SettingsError
from records.folder import write_text
from records.task import LabelSpec, TaskSpec, fold

Yaml = str | int | float | bool | datetime.date | None | list["Yaml"] | dict[str, "Yaml"]

HEADER = """\
# The task as this run understood it. Edit it and give it back: autoannotator run --task task.yaml --data FILE
# kind: single_label, multi_label or text_pair. `inferred` lists what nobody stated; it need not be kept.
# gold_sample: random says that the rows of --gold are a random sample of this file; only then can they certify.
"""
_SHOULD_BE = {
    "tuple_type": "should be a list",
    "model_type": "should be a mapping: name, definition, example",
    "missing": "is missing",
    "string_type": "should be text",
}
"""Kinds of mistake → what to say of them; pydantic's own words for the others."""


def write_task(target: Path, task: TaskSpec) -> None:
    """Write a task as YAML for people: what it is about comes first, and what few tasks have only where
    there is some."""
    plain = task.model_dump(mode="json")
    if task.kind != "text_pair":
        for label in plain["labels"]:
            del label["example_pair"]
    if task.gold_sample is None:
        del plain["gold_sample"]
    write_text(target, HEADER + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110))


def read_task_file(path: Path) -> TaskSpec:
    """Return the task that a person gives: all of it is stated, whatever was inferred once.

    Raises SettingsError that names every mistake with its place in the file.
    """
    try:
        task = _drop_empty(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", next_step="Give --task a task.yaml.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(
            f"{path} is not YAML: {fold(str(error))}", next_step="Mend it; a text with `: ` or ` #` needs quotes."
        ) from error
    if not isinstance(task, dict):
        raise _refuse(path, ["it holds no task: a mapping with sentence, labels and text_columns is needed"])
    try:
        return TaskSpec.model_validate({**task, "inferred": ()})
    except ValidationError as error:
        raise _refuse(path, [_describe(one) for one in _drop_consequences(error.errors())]) from error


def _refuse(path: Path, mistakes: list[str]) -> SettingsError:
    return SettingsError(
        "\n".join(f"{path}: {mistake}" for mistake in mistakes),
        next_step="Mend the file. Every run folder holds a task.yaml of this form.",
    )


def _drop_empty(value: Yaml) -> Yaml:
    """Leave out the keys that have no value: `definition:` with nothing behind it is no definition."""
    if isinstance(value, dict):
        return {str(key): _drop_empty(one) for key, one in value.items() if one is not None}
    return [_drop_empty(one) for one in value] if isinstance(value, list) else value


def _drop_consequences(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where that is because its items are wrong."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(len(place) > len(error["loc"]) and place[: len(error["loc"])] == error["loc"] for place in places)
    ]


def _describe(error: ErrorDetails) -> str:
    place, last = ".".join(map(str, error["loc"])), str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = LabelSpec.model_fields if len(error["loc"]) > 1 else TaskSpec.model_fields
        close = difflib.get_close_matches(last, known, n=1)
        return f"{place} is not known; " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")
    given: object = error["input"]
    said = _SHOULD_BE.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] == "string_type" and not isinstance(given, list | dict):
        said = f"{given!r} is no text in YAML; put it in quotes"
    elif error["type"] == "too_short":
        said = f"needs {error.get('ctx', {}).get('min_length')} or more"
    elif error["type"] == "literal_error":
        said = f"{said}, got {given!r}"
    return f"{place}: {said}" if place else said
