"""The wire formats: what is written is read back, what does not fit is refused, and the schemas are committed."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from records.events import EVENT, StageVoted
from records.outcome import Forecast
from records.protocol import (
    PROTOCOL_VERSION,
    WORKER_REPLY,
    AnnotateRequest,
    LabelsFile,
    WorkerFailure,
    WorkerProgress,
    WorkerReady,
    WorkerResult,
)
from records.rows import LABEL_COLUMNS, script_output
from records.schemas import FOLDER, make_schemas, write_schemas

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "reply",
    [
        WorkerReady(model_type="bert", parameters=7, hidden_size=4, dtype="float32"),
        WorkerProgress(id="1", done=3, total=9),
        WorkerResult(id="1", rows=9, tokens=70),
        WorkerFailure(id="1", error="no such file"),
    ],
    ids=lambda reply: reply.type,
)
def test_a_reply_is_read_back_as_the_record_it_was(reply):
    line = reply.model_dump_json()
    assert "\n" not in line
    assert WORKER_REPLY.validate_json(line) == reply


@pytest.mark.parametrize(
    "line",
    ['{"type": "done"}', '{"type": "result", "id": "1"}', '{"id": "1", "rows": 2}', "[]", "hello", '{"type": "ready"'],
)
def test_a_line_that_is_no_reply_is_refused(line):
    with pytest.raises(ValidationError):
        WORKER_REPLY.validate_json(line)


def test_a_ready_worker_says_which_protocol_it_speaks():
    assert json.loads(WorkerReady().model_dump_json())["protocol"] == PROTOCOL_VERSION


def test_a_request_names_its_operation():
    request = AnnotateRequest(id="7", input="in/a.parquet", output="out/b.parquet")
    assert json.loads(request.model_dump_json()) == {
        "op": "annotate", "id": "7", "input": "in/a.parquet", "output": "out/b.parquet",
        "features": False, "classes": False,
    }  # fmt: skip


def test_a_label_list_of_one_is_refused():
    with pytest.raises(ValidationError):
        LabelsFile(labels=("only",))


def test_the_output_of_a_script_holds_one_probability_a_label():
    assert script_output(3).field("probs").type.list_size == 3
    assert script_output(3).names == ["id", "label", "score", "probs"]
    assert script_output(3, features=8).field("features").type.list_size == 8


def test_the_committed_schemas_are_the_generated_ones(tmp_path):
    write_schemas(tmp_path)
    generated = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / FOLDER).iterdir()}
    assert committed == generated, "run python -m records.schemas"


def test_every_schema_is_versioned_in_its_name_and_its_id():
    for name, schema in make_schemas().items():
        stem = name.removesuffix(".json")
        assert stem.rpartition(".v")[2].isdigit()
        assert schema["$id"] == f"urn:autoannotator:{stem}"


def test_the_schema_of_a_message_demands_what_tells_it_apart():
    records = make_schemas()["event.v1.json"]["$defs"]
    named = EVENT.json_schema()["discriminator"]["mapping"].values()
    events = {name.rpartition("/")[2] for name in named}
    assert StageVoted.__name__ in events
    assert all("type" in records[name]["required"] for name in events)
    assert "version" in records[Forecast.__name__]["required"], "a record that an event holds"


def test_the_schema_of_the_labels_names_every_column_in_order():
    assert list(make_schemas()["labels-table.v1.json"]["properties"]) == list(LABEL_COLUMNS)
