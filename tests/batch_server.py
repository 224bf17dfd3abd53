"""The scripted server with OpenAI's files and batches: a batch's requests are answered by the same script.

A batch ends once it was looked at `looks` times. A request whose script gives a Refusal fails in it.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from tests.llm_server import Exchange, LLMServer, Refusal, Said, Script, ScriptedHandler, complete


@dataclass
class ServedBatch:
    """A batch as it was submitted: its number, its requests by their custom ids, and how often it was looked at."""

    id: str
    file: str
    requests: dict[str, dict[str, Any]]
    metadata: dict[str, str]
    looks: int = 0
    output: str = ""
    errors: str = ""


@dataclass
class BatchRules:
    """How the endpoint treats batches. `ends` is the status in which one ends."""

    looks: int = 2
    ends: str = "completed"
    keeps: Callable[[str], bool] = lambda custom_id: True
    """Which requests an expired batch still answered."""
    refuses: dict[str, Refusal] = field(default_factory=dict[str, Refusal])
    """Path → what is answered instead, once or for ever as the test changes it."""
    loses: set[str] = field(default_factory=set[str])
    """Paths whose answer is lost after the request was carried out, once each."""


class BatchServer(LLMServer):
    """A scripted server that has batches too; `batches` are those submitted."""

    def __init__(self, script: Script, **how: Any) -> None:
        super().__init__(script, **how)
        self.rules = BatchRules()
        self.files: dict[str, str] = {}
        self.uploads = 0
        self.batches: list[ServedBatch] = []
        self._server.RequestHandlerClass = type("Handler", (_Handler,), {"scripted": self, "endpoint": self})

    def submit(self, file: str, metadata: dict[str, str]) -> ServedBatch:
        lines = [json.loads(line) for line in self.files[file].splitlines()]
        requests = {line["custom_id"]: line["body"] for line in lines}
        assert len(requests) == len(lines)
        assert all((line["method"], line["url"]) == ("POST", "/v1/chat/completions") for line in lines)
        batch = ServedBatch(f"batch_{len(self.batches)}", file, requests, metadata)
        self.batches.append(batch)
        return batch

    def look(self, batch: ServedBatch) -> dict[str, Any]:
        batch.looks += 1
        over = batch.looks > self.rules.looks
        if over and not batch.output and self.rules.ends != "failed":
            self._carry_out(batch)
        return self.describe(batch, self.rules.ends if over else "in_progress")

    def _carry_out(self, batch: ServedBatch) -> None:
        output, errors = [], []
        for key, request in batch.requests.items():
            if not self.rules.keeps(key):
                errors.append({"custom_id": key, "response": None, "error": {"code": "batch_expired"}})
                continue
            answer = self.script(request)
            self.record(Exchange(request, {"batch": batch.id}, answer))
            if isinstance(answer, Refusal):
                errors.append({"custom_id": key, "response": {"status_code": answer.status, "body": {}}, "error": None})
            else:
                said = Said(answer) if isinstance(answer, str) else answer
                body = complete(request, said, self.logprobs)  # pyright: ignore[reportArgumentType]
                output.append({"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None})
        batch.output, batch.errors = f"file-out-{batch.id}", f"file-err-{batch.id}"
        # Not in the order of the requests, as the documentation warns.
        self.files[batch.output] = "\n".join(json.dumps(one) for one in reversed(output))
        self.files[batch.errors] = "\n".join(json.dumps(one) for one in errors)

    def describe(self, batch: ServedBatch, status: str) -> dict[str, Any]:
        errors = (
            {"object": "list", "data": [{"message": "too many tokens are enqueued"}]} if status == "failed" else None
        )
        return {
            "id": batch.id, "object": "batch", "endpoint": "/v1/chat/completions", "completion_window": "24h",
            "created_at": 0, "input_file_id": batch.file, "status": status, "metadata": batch.metadata,
            "output_file_id": batch.output or None, "error_file_id": batch.errors or None, "errors": errors,
            "request_counts": {"completed": 0, "failed": 0, "total": len(batch.requests)},
        }  # fmt: skip


class _Handler(ScriptedHandler):
    endpoint: BatchServer

    def do_GET(self) -> None:
        if self._is_refused():
            return
        path = self.path.partition("?")[0].removeprefix("/v1/")
        if path == "batches":
            listed = [self.endpoint.describe(one, "in_progress") for one in reversed(self.endpoint.batches)]
            self._tell({"object": "list", "data": listed, "has_more": False})
        elif found := re.fullmatch(r"files/(\S+)/content", path):
            self._send(200, self.endpoint.files[found[1]], {"Content-Type": "application/octet-stream"})
        else:
            batch = next(one for one in self.endpoint.batches if path == f"batches/{one.id}")
            self._tell(self.endpoint.look(batch))

    def do_DELETE(self) -> None:
        name = self.path.removeprefix("/v1/files/")
        del self.endpoint.files[name]
        self._tell({"id": name, "object": "file", "deleted": True})

    def do_POST(self) -> None:
        if self.path == "/v1/chat/completions":
            super().do_POST()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_refused():
            return
        if self.path == "/v1/files":
            self.endpoint.uploads += 1
            name = f"file-in-{self.endpoint.uploads}"
            assert b'name="purpose"\r\n\r\nbatch\r\n' in body
            part = next(one for one in body.split(b"\r\n--") if b"filename=" in one)
            self.endpoint.files[name] = part.partition(b"\r\n\r\n")[2].decode()
            answer = {"id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": "f", "purpose": "batch"}
        else:
            asked = json.loads(body)
            answer = self.endpoint.describe(
                self.endpoint.submit(asked["input_file_id"], asked["metadata"]), "validating"
            )
        if self.path in self.endpoint.rules.loses:
            self.endpoint.rules.loses.remove(self.path)
            self._break("")
            return
        self._tell(answer)

    def _is_refused(self) -> bool:
        refusal = self.endpoint.rules.refuses.get(self.path.partition("?")[0])
        if refusal is not None:
            self._answer({}, refusal)
        return refusal is not None

    def _tell(self, answer: dict[str, Any]) -> None:
        self._send(200, json.dumps(answer), {})


@contextmanager
def serving_batches(script: Script, **how: Any) -> Iterator[BatchServer]:
    """Run a scripted server with batches for the length of the block."""
    server = BatchServer(script, **how)
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
