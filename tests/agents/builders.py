"""Small records that the tests of the agents start from."""

import itertools

from agents.base import ColumnSample, TaskRequest
from records.candidate import Candidate, FileFacts
from records.task import LabelSpec, TaskSpec


def make_task(*labels: str, sentence: str = "Label each text.", family: str = "", language: str = "en") -> TaskSpec:
    return TaskSpec(
        sentence=sentence,
        labels=tuple(LabelSpec(name=label) for label in labels),
        text_columns=("text",),
        family=family,
        language=language,
    )


def make_candidate(repo_id: str, names: tuple[str, ...], **facts) -> Candidate:
    defaults = {
        "revision": "0" * 40,
        "pipeline_tag": "text-classification",
        "id2label": dict(enumerate(names)),
        "files": (FileFacts(path="config.json", size=100), FileFacts(path="model.safetensors", size=1000)),
    }
    return Candidate(repo_id=repo_id, **{**defaults, **facts})


def make_request(sentence: str, columns: dict[str, list[str] | None], **stated) -> TaskRequest:
    """`columns`: name → its texts, or None for a column that is not text."""
    samples = tuple(
        ColumnSample(
            name=name,
            type="string" if values else "int64",
            is_text=values is not None,
            values=tuple(values or ("1", "2")),
        )
        for name, values in columns.items()
    )
    rows = tuple(
        dict(zip(columns, values, strict=True))
        for values in itertools.zip_longest(*(sample.values for sample in samples))
    )
    return TaskRequest(sentence=sentence, columns=samples, **{"rows": rows, **stated})
