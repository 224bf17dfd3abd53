"""The JSON Schemas of the wire formats: `python -m records.schemas` writes them to `docs/schemas/`.

A file is named `<format>.v<version>.json`. A table's schema describes one row, and gives each column's Arrow type.
"""

import json
import sys
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pydantic import TypeAdapter

from records.candidate import ModelsLock
from records.events import EVENT
from records.ledger import Answer
from records.outcome import Certificate, Cost, Forecast, Manifest
from records.protocol import (
    PROTOCOL_VERSION,
    WORKER_REPLY,
    AnnotateRequest,
    LabelsFile,
    TrainingMetrics,
)
from records.rows import label_columns, script_input, script_output

FOLDER = Path("docs/schemas")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def make_schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by its file name."""
    protocol = f"v{PROTOCOL_VERSION}"
    adapters: dict[str, TypeAdapter[Any]] = {
        f"worker-request.{protocol}": TypeAdapter(AnnotateRequest),
        f"worker-reply.{protocol}": WORKER_REPLY,
        "labels.v1": TypeAdapter(LabelsFile),
        "training-metrics.v1": TypeAdapter(TrainingMetrics),
        "event.v1": EVENT,
        "ledger-answer.v1": TypeAdapter(Answer),
        "models-lock.v2": TypeAdapter(ModelsLock),
        "certificate.v1": TypeAdapter(Certificate),
        "cost.v1": TypeAdapter(Cost),
        "forecast.v1": TypeAdapter(Forecast),
        "manifest.v1": TypeAdapter(Manifest),
    }
    tables = {
        "script-input.v1": script_input(),
        "script-input-pair.v1": script_input("text_pair"),
        "script-output.v1": script_output(labels=1, features=1),
        "script-output-multi-label.v1": script_output(labels=1, features=1, kind="multi_label"),
        "labels-table.v1": pa.schema(list(label_columns().items())),
        "labels-table-multi-label.v1": pa.schema(list(label_columns("multi_label").items())),
    }
    bodies = {name: _require_constants(adapter.json_schema()) for name, adapter in adapters.items()}
    bodies |= {name: _describe_table(table) for name, table in tables.items()}
    return {
        f"{name}.json": {"$schema": _DIALECT, "$id": f"urn:autoannotator:{name}", **body}
        for name, body in bodies.items()
    }


def _require_constants(schema: dict[str, Any]) -> dict[str, Any]:
    """Demand the fields that say what a message is (`type`, `op`, `version`): they have defaults in Python only."""
    for record in [schema, *schema.get("$defs", {}).values()]:
        constants = [name for name, field in record.get("properties", {}).items() if "const" in field]
        if constants:
            record["required"] = [*constants, *record.get("required", [])]
    return schema


def _describe_table(table: pa.Schema) -> dict[str, Any]:
    columns = zip(table.names, table.types, strict=True)
    return {
        "description": "One row of the table; columns in this order.",
        "type": "object",
        "properties": {name: _describe_type(kind) for name, kind in columns},
    }


def _describe_type(kind: pa.DataType) -> dict[str, Any]:
    if isinstance(kind, pa.FixedSizeListType):
        # The length is the number of labels, or of features: it is no part of the format.
        items = cast(pa.DataType, kind.value_type)  # pyright: ignore[reportUnknownMemberType] (the stubs')
        return {"type": "array", "items": _describe_type(items), "x-arrow": "fixed_size_list"}
    if isinstance(kind, pa.ListType):
        items = cast(pa.DataType, kind.value_type)  # pyright: ignore[reportUnknownMemberType] (the stubs')
        return {"type": "array", "items": _describe_type(items), "x-arrow": "list"}
    if pa.types.is_map(kind):
        items = cast(pa.DataType, kind.item_type)  # pyright: ignore[reportUnknownMemberType] (the stubs')
        values = {"type": "string"} if pa.types.is_string(items) else _describe_type(items)
        return {"type": "object", "additionalProperties": values, "x-arrow": str(kind)}
    if pa.types.is_integer(kind):
        plain = "integer"
    elif pa.types.is_floating(kind):
        plain = "number"
    else:
        plain = "boolean" if pa.types.is_boolean(kind) else "string"
    return {"type": [plain, "null"], "x-arrow": str(kind)}


def write_schemas(folder: Path) -> None:
    """Write every schema into `folder`, which afterwards holds no other JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, schema in make_schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
