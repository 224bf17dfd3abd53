"""The run that is kept as an example is whole, and of the code as it stands."""

import json

import pyarrow.parquet as pq

from graphs.reporting import gather_report
from records.folder import RunFolder, file_sha256
from records.rows import LABEL_COLUMNS
from templates.renderer import render_annotate, render_finetune
from tests.conftest import ROOT

EXAMPLE = RunFolder(ROOT / "generated" / "example")


def test_the_example_is_whole() -> None:
    files = json.loads(EXAMPLE.manifest.read_text())["files"]
    for name, facts in files.items():
        assert file_sha256(EXAMPLE.path / name) == facts["sha256"], name


def test_the_example_can_be_read_by_the_code_as_it_stands() -> None:
    told = gather_report(EXAMPLE)
    assert told.rows == pq.read_metadata(EXAMPLE.labels).num_rows
    assert set(LABEL_COLUMNS) <= set(pq.read_schema(EXAMPLE.labels).names)


def test_the_example_shows_the_templates_as_they_are() -> None:
    attempts = sorted(EXAMPLE.path.glob("scripts/*/attempt-01/attempt.json"))
    assert len(attempts) == 5
    for path in attempts:
        made = json.loads(path.read_text())
        classes = {int(index): label for index, label in made["parts"]["label_map"]["classes"].items()}
        assert (path.parent / "annotate.py").read_text() == render_annotate(classes).text
        assert (path.parent / "finetune.py").read_text() == render_finetune(classes).text
