"""The run folder: where each file of a run lies, and writes that appear whole or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel, ValidationError

from records.errors import RunFolderError
from records.events import EVENT, Event
from records.outcome import ListedFile, Manifest

R = TypeVar("R", bound=BaseModel)

TEMPORARY = ".tmp-"
"""What the name of an unfinished file or folder begins with; such a thing is never read."""

FORM = "review.csv"
UNLISTED = frozenset({"manifest.json", "checkpoints.sqlite", "ledger.sqlite", "events.jsonl", ".lock", FORM})
"""Files at the top that go on changing after the manifest is written, or that it cannot name."""
SQLITE_ENDINGS = ("-journal", "-wal", "-shm")
"""What SQLite puts beside a database while it is open."""


@contextmanager
def written_whole(target: Path) -> Generator[Path]:
    """Yield a temporary path beside `target`; on success fsync it and rename it to `target`, else remove it.

    Works for a file and for a folder (an existing folder is replaced).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    old = target.with_name(f"{TEMPORARY}{os.getpid()}-old-{target.name}")
    try:
        yield temporary
        for path in [*temporary.rglob("*"), temporary] if temporary.is_dir() else [temporary]:
            _sync(path)
        if target.is_dir():
            # A folder cannot be renamed onto another: the old one steps aside, and is gone if a kill comes here.
            target.rename(old)
        temporary.rename(target)
        _sync(target.parent)
    finally:
        _remove(temporary)
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Write `text` in UTF-8; the file appears whole."""
    with written_whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: BaseModel | dict[str, Any] | list[Any]) -> None:
    """Write a record or plain JSON; the file appears whole."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    write_text(target, json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_yaml(target: Path, value: BaseModel) -> None:
    """Write a record as YAML; the file appears whole."""
    write_text(target, yaml.safe_dump(value.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def write_table(target: Path, table: pa.Table) -> None:
    """Write a Parquet file; it appears whole."""
    with written_whole(target) as temporary, pq.ParquetWriter(temporary, table.schema) as writer:
        writer.write_table(table)


def file_sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class RunFolder:
    """A run folder (see the design, "A run folder"): its paths, its readers, and its one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._appending = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make a new run folder. Raises RunFolderError where it is not empty or cannot be written to."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunFolderError(
                    f"the output folder {path} is not empty",
                    next_step=f"Give another --out, or finish that run: autoannotator resume {path}",
                )
            probe = path / f"{TEMPORARY}probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunFolderError(
                f"the output folder {path} cannot be written to: {error.strerror or error}",
                next_step="Give an --out folder that you may write to.",
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run folder. Raises RunFolderError where it is none."""
        folder = cls(path)
        if not folder.settings.is_file():
            raise RunFolderError(
                f"{path} is not a run folder: it has no settings.yaml",
                next_step="List the runs with `autoannotator runs list`.",
            )
        return folder

    @property
    def run_id(self) -> str:
        return self.path.resolve().name

    @property
    def task(self) -> Path:
        return self.path / "task.yaml"

    @property
    def settings(self) -> Path:
        return self.path / "settings.yaml"

    @property
    def input(self) -> Path:
        return self.path / "input.parquet"

    @property
    def hub(self) -> Path:
        return self.path / "hub"

    @property
    def lock(self) -> Path:
        return self.path / "models.lock.json"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.sqlite"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints.sqlite"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def labels(self) -> Path:
        return self.path / "labels.parquet"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def certificate(self) -> Path:
        return self.path / "certificate.json"

    @property
    def review_form(self) -> Path:
        """The rows drawn for people to label, who may fill it in where it is."""
        return self.path / FORM

    @property
    def cost(self) -> Path:
        return self.path / "cost.json"

    @property
    def forecast(self) -> Path:
        return self.path / "forecast.json"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def audition(self) -> Path:
        """The probe and every candidate's audition."""
        return self.path / "audition"

    @property
    def audits(self) -> Path:
        """The audits, a numbered folder each, and what was claimed by them."""
        return self.path / "audit"

    @property
    def scratch(self) -> Path:
        """Files that only the run itself needs; removed at its end."""
        return self.path / "scratch"

    def attempt(self, model: str, number: int) -> Path:
        """Return the folder of one attempt at a model's scripts; attempts count from 1."""
        return self.path / "scripts" / model / f"attempt-{number:02d}"

    def votes(self, stage: int, model: str) -> Path:
        return self.path / "votes" / f"stage-{stage:04d}" / f"{model}.parquet"

    def combination(self, stage: int) -> Path:
        """The parameters of the vote that decided a stage, where it was calibrated."""
        return self.path / "votes" / f"stage-{stage:04d}" / "combination.json"

    def stage_labels(self, stage: int) -> Path:
        return self.path / "labels" / f"stage-{stage:04d}.parquet"

    def model(self, name: str, version: int) -> Path:
        return self.path / "models" / name / f"v{version}"

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the folder for this process. Raises RunFolderError where another process has it.

        The lock goes with the process, however it ends. Unfinished files of a killed process are removed.
        """
        with (self.path / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunFolderError(
                    f"another process is working in {self.path}",
                    next_step=f"Wait for it, or watch it: autoannotator status {self.path}",
                ) from error
            for left in sorted(self.path.rglob(f"{TEMPORARY}*"), reverse=True):
                _remove(left)
            yield

    def append_event(self, event: Event) -> None:
        """Append one event as a line of JSON. Threads may do so at the same time."""
        with self._appending, self.events.open("ab") as stream:
            # What a kill left of a line must not spoil the next one.
            if stream.tell() and not self._ends_with_newline():
                stream.write(b"\n")
            stream.write(event.model_dump_json().encode() + b"\n")

    def _ends_with_newline(self) -> bool:
        with self.events.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) == b"\n"

    def read_events(self) -> Iterator[Event]:
        """Yield the events in their order; a line that a kill cut short is passed over.

        Raises RunFolderError where a whole line is no event.
        """
        if not self.events.exists():
            return
        with self.events.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    event = EVENT.validate_json(line)
                except ValidationError as error:
                    if error.errors()[0]["type"] == "json_invalid":
                        continue
                    raise RunFolderError(
                        f"{self.events}, line {number}: no event of this version ({error.errors()[0]['msg']})",
                        next_step="Use the version of autoannotator that made the run.",
                    ) from error
                yield event

    def find_missing(self) -> list[str]:
        """Return the files that the manifest names and that are not there with the size it says."""
        files = read_record(self.manifest, Manifest).files
        return [
            name
            for name, facts in files.items()
            if not (self.path / name).is_file() or (self.path / name).stat().st_size != facts.bytes
        ]

    def write_manifest(self) -> None:
        """Name every file with its size in bytes and its sha256. Written last: where it exists the run is complete."""
        files = {
            path.relative_to(self.path).as_posix(): ListedFile(bytes=path.stat().st_size, sha256=file_sha256(path))
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and not self._is_unlisted(path)
        }
        write_json(self.manifest, Manifest(run=self.run_id, files=files))

    def _is_unlisted(self, path: Path) -> bool:
        name = path.relative_to(self.path).as_posix()
        for ending in SQLITE_ENDINGS:
            name = name.removesuffix(ending)
        return name in UNLISTED


def read_record(path: Path, kind: type[R]) -> R:
    """Read a record from JSON or YAML. Raises RunFolderError where the file is missing or is not such a record."""
    try:
        text = path.read_text(encoding="utf-8")
        return kind.model_validate(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunFolderError(
            f"{path} cannot be read as {kind.__name__}: {error}",
            next_step="Restore the file, or start a new run.",
        ) from error
