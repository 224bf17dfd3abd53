"""The run folder: files appear whole, one process works in it, and events survive a kill."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.errors import RunFolderError
from records.events import Noticed, RunStarted, StageVoted
from records.folder import TEMPORARY, RunFolder, read_record, write_json, write_table, write_text, written_whole
from records.outcome import Certificate, Manifest


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run")


def names(path: Path) -> set[str]:
    return {entry.relative_to(path).as_posix() for entry in path.rglob("*")}


def fail_after_half(target: Path, write: Callable[[Path], object]) -> None:
    with written_whole(target) as temporary:
        write(temporary)
        raise ZeroDivisionError


def test_a_file_replaces_the_one_before_it(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "one")
    write_text(tmp_path / "new" / "a.txt", "zwei ü")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "zwei ü"
    assert names(tmp_path) == {"new", "new/a.txt"}


def test_a_failed_write_leaves_the_file_before_it_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "one")
    with pytest.raises(ZeroDivisionError):
        fail_after_half(tmp_path / "a.txt", lambda temporary: temporary.write_text("half"))
    assert (tmp_path / "a.txt").read_text() == "one"
    assert names(tmp_path) == {"a.txt"}


def test_a_folder_appears_whole_and_replaces_the_one_before_it(tmp_path):
    for name in ("old", "new"):
        with written_whole(tmp_path / "model") as temporary:
            (temporary / "sub").mkdir(parents=True)
            (temporary / "sub" / name).write_text(name)
    assert names(tmp_path) == {"model", "model/sub", "model/sub/new"}


def test_a_failed_folder_leaves_the_one_before_it(tmp_path):
    with written_whole(tmp_path / "model") as temporary:
        temporary.mkdir()
        (temporary / "weights").write_text("good")
    with pytest.raises(ZeroDivisionError):
        fail_after_half(tmp_path / "model", Path.mkdir)
    assert names(tmp_path) == {"model", "model/weights"}


WRITER = """
import sys
from pathlib import Path
from records.folder import write_text
n = 0
while True:
    n += 1
    write_text(Path(sys.argv[1]), f"{n % 10}" * 3_000_000)
    print(n, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.006, 0.009])
def test_a_kill_in_the_middle_of_a_write_leaves_a_whole_file(folder, delay):
    target = folder.path / "a.txt"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
    text = target.read_text()
    assert len(text) == 3_000_000
    assert len(set(text)) == 1
    with folder.locked():
        assert names(folder.path) == {".lock", "a.txt"}


def test_what_a_killed_process_left_unfinished_is_removed(folder):
    (folder.path / "models" / f"{TEMPORARY}9-v1" / f"{TEMPORARY}9-inner").mkdir(parents=True)
    (folder.path / "models" / f"{TEMPORARY}9-v1" / "weights").write_text("half")
    (folder.path / f"{TEMPORARY}9-labels.parquet").write_text("half")
    (folder.path / "models" / "v0").mkdir()
    with folder.locked():
        assert names(folder.path) == {".lock", "models", "models/v0"}


def test_json_of_a_record_and_a_table_are_read_back(tmp_path):
    write_json(tmp_path / "certificate.json", Certificate(status="none", statement="Nothing.", reason="no expert"))
    assert read_record(tmp_path / "certificate.json", Certificate).reason == "no expert"
    table = pa.table({"a": [1, None], "b": ["x", "y"]})
    write_table(tmp_path / "t.parquet", table)
    assert pq.read_table(tmp_path / "t.parquet").equals(table)


def test_a_number_that_json_does_not_know_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == set()


def test_an_output_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="is not empty"):
        RunFolder.create(tmp_path)
    assert names(tmp_path) == {"notes.txt"}


def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/run")):
        with pytest.raises(RunFolderError, match="cannot be written to"):
            RunFolder.create(path)


def test_a_folder_without_settings_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match="is not a run folder"):
        RunFolder.open(tmp_path)
    write_text(tmp_path / "settings.yaml", "version: 1\n")
    assert RunFolder.open(tmp_path).run_id == tmp_path.name


HOLDER = """
import sys, time
from pathlib import Path
from records.folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder.path)], stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        with pytest.raises(RunFolderError, match="another process is working"), folder.locked():
            pass
        os.kill(process.pid, signal.SIGKILL)
    with folder.locked():
        pass


def test_events_are_read_back_in_their_order(folder):
    events = [
        RunStarted(run_id="r"),
        StageVoted(stage=0, unanimous=0.5, agreement={"m/é": 0.75}),
        Noticed(message="line\nbreak"),
    ]
    assert list(folder.read_events()) == []
    for event in events:
        folder.append_event(event)
    assert list(folder.read_events()) == events


def test_an_event_cut_at_any_byte_costs_only_itself(folder):
    first, cut, last = (
        Noticed(message="one"),
        StageVoted(stage=1, unanimous=1.0, agreement={"é": 1.0}),
        Noticed(message="three"),
    )
    line = cut.model_dump_json().encode()
    for length in range(len(line)):
        folder.events.write_bytes(b"")
        folder.append_event(first)
        with folder.events.open("ab") as stream:
            stream.write(line[:length])
        assert list(folder.read_events()) == [first]
        folder.append_event(last)
        assert list(folder.read_events()) == [first, last]


def test_a_whole_line_that_is_no_event_is_refused_with_its_number(folder):
    folder.append_event(Noticed(message="one"))
    with folder.events.open("a") as stream:
        stream.write('{"type": "from_the_future"}\n')
    with pytest.raises(RunFolderError, match=r"events\.jsonl, line 2"):
        list(folder.read_events())


def test_threads_append_whole_lines(folder):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: folder.append_event(Noticed(message=str(n) * 5000)), range(200)))
    assert len(list(folder.read_events())) == 200


def test_the_manifest_names_every_finished_file_with_its_hash(folder):
    write_text(folder.cost, "{}")
    write_text(folder.path / "hub" / "events.jsonl", "not the run's own")
    folder.append_event(Noticed(message="goes on"))
    for name in ("ledger.sqlite", "checkpoints.sqlite-wal", ".lock"):
        (folder.path / name).write_text("goes on")
    folder.write_manifest()
    manifest = read_record(folder.manifest, Manifest)
    assert set(manifest.files) == {"cost.json", "hub/events.jsonl"}
    assert manifest.files["cost.json"].bytes == 2
    assert manifest.files["cost.json"].sha256 == hashlib.sha256(b"{}").hexdigest()
    assert json.loads(folder.manifest.read_text())["run"] == "run"


def test_the_paths_of_a_run_are_those_of_the_design(folder):
    paths = {
        folder.attempt("m", 3): "scripts/m/attempt-03",
        folder.votes(2, "m"): "votes/stage-0002/m.parquet",
        folder.stage_labels(2): "labels/stage-0002.parquet",
        folder.model("m", 1): "models/m/v1",
        folder.lock: "models.lock.json",
    }
    for path, expected in paths.items():
        assert path.relative_to(folder.path).as_posix() == expected
