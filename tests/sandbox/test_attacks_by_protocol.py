"""Attacks on who listens to a program: by what it says, and by results that change while they are read."""

import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from records.protocol import AnnotateRequest
from sandbox.base import Limits, Output, RequestFailed, RunSpec, Sandbox, WorkerDied
from sandbox.container import FrameReader
from tests.sandbox.attack_ground import LIMITS, MIB, SCRIPTS, Scene
from tests.sandbox.attack_places import in_sandbox, unconfined


def open_attack(sandbox: Sandbox, name: str, *arguments: str, **limits):
    script = SCRIPTS / f"{name}.py"
    limits = Limits(**{**vars(LIMITS), **limits})
    argv = ("python", "in/attack.py", *arguments)
    return sandbox.open(RunSpec(argv=argv, inputs={"attack.py": script}, limits=limits))


def ask(worker, target: Path, number: int = 1, limit: int = MIB):
    request = AnnotateRequest(id=f"r{number}", input="in/question", output="out/answer")
    outputs = {"answer": Output(target, "text", limit)}
    return worker.request(request, inputs={}, outputs=outputs, seconds=15)


@contextlib.contextmanager
def bare_worker(folder: Path, name: str, *arguments: str):
    """Start a worker as a plain process in `folder`, past its first line."""
    (folder / "out").mkdir()
    process = subprocess.Popen(
        [sys.executable, SCRIPTS / f"{name}.py", *arguments, str(folder)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            assert json.loads(process.stdout.readline())["type"] == "ready"
            yield process
        finally:
            os.killpg(process.pid, 9)


def peak_memory(start: bool = False) -> int:
    """Return the most memory that this process has used since it was last asked to `start`; bytes."""
    if start:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free and kept would hide what is taken
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.xdist_group("bombs")
class TestEndlessLine:
    def test_is_cut_off(self, containing_sandbox, ground):
        before = peak_memory(start=True)
        with open_attack(containing_sandbox, "endless_line", "1024") as worker, pytest.raises(WorkerDied) as died:
            ask(worker, ground.path / "target")
        assert died.value.result.cause == "output"
        assert peak_memory() - before < 64 * MIB

    def test_is_not_kept_of_a_program_that_is_listened_to(self, containing_sandbox, ground):
        spec = RunSpec(("python", "in/attack.py", "1024"), inputs={"attack.py": SCRIPTS / "endless_line.py"})
        before = peak_memory(start=True)
        result = containing_sandbox.run(spec, on_progress=lambda _: None)
        assert result.cause == "output"
        assert peak_memory() - before < 64 * MIB

    def test_fills_the_memory_of_who_reads_a_line(self, tmp_path):
        before = peak_memory(start=True)
        with bare_worker(tmp_path, "endless_line", "128") as worker:
            worker.stdin.write(b"\n")
            worker.stdin.close()
            assert len(worker.stdout.readline()) == 128 * MIB
        assert peak_memory() - before > 64 * MIB


class TestSwappedResult:
    """A result that is a file when it is looked at, and a link to a secret when it is read."""

    TIMES = 40

    def test_is_not_followed(self, containing_sandbox, ground):
        target = ground.path / "target"
        for _ in range(3):
            with open_attack(containing_sandbox, "swapped_result", str(ground.plant_file())) as worker:
                for number in range(self.TIMES):
                    with contextlib.suppress(WorkerDied, RequestFailed):
                        ask(worker, target, number)
                    assert not target.exists() or target.read_text() in ("harmless", "")  # "": while it is written

    def test_is_followed_by_who_looks_first(self, ground):
        found = []
        with bare_worker(ground.path, "swapped_result", str(ground.plant_file())):
            answer = ground.path / "out/answer"
            ends = time.monotonic() + 10
            while ground.secret not in found and time.monotonic() < ends:
                with contextlib.suppress(FileNotFoundError):
                    if not answer.is_symlink():
                        found.append(answer.read_text())
        assert ground.secret in found


class TestRepeatedCheckpoints:
    """A few seconds of a program's time are to be no more of the host's, however often it says that it is ready."""

    SECONDS = 8

    def test_ends_in_time(self, containing_sandbox, ground):
        spec = RunSpec(
            argv=("python", "in/attack.py", "600"),
            inputs={"attack.py": SCRIPTS / "repeated_checkpoints.py"},
            outputs={"answer": Output(ground.path / "target", "text", 64 * MIB)},
            limits=Limits(**{**vars(LIMITS), "seconds": 3}),
        )
        began = time.monotonic()
        containing_sandbox.run(spec, on_progress=lambda _: None)
        assert time.monotonic() - began < self.SECONDS

    def test_goes_on_where_each_is_copied(self, ground):
        """The host that does as it is told: 20 copies are timed, of 600."""
        scene = Scene(("600",), limits=Limits(seconds=1))
        result = unconfined(ground, SCRIPTS / "repeated_checkpoints.py", scene)
        began = time.monotonic()
        for line in result.stdout.splitlines()[:20]:
            (name,) = json.loads(line)["outputs"]
            (ground.path / "target").write_bytes((ground.path / "box/out" / name).read_bytes())
        assert (time.monotonic() - began) * (600 / 20) > self.SECONDS


class TestGrowingResult:
    def test_is_cut_off(self, containing_sandbox, ground):
        with open_attack(containing_sandbox, "growing_result", "200", storage=256 * MIB) as worker:
            began = time.monotonic()
            with contextlib.suppress(WorkerDied):
                ask(worker, ground.path / "target", limit=4 * MIB)
            assert time.monotonic() - began < 10
        sizes = [path.stat().st_size for path in ground.path.rglob("*") if path.is_file()]
        assert max(sizes, default=0) <= 4 * MIB

    def test_is_copied_to_its_end_by_who_does_not_count(self, ground):
        with bare_worker(ground.path, "growing_result", "64") as worker:
            worker.stdin.write(b'{"id": "r1"}\n')
            worker.stdin.flush()
            worker.stdout.readline()
            time.sleep(0.5)
            subprocess.run(["cp", ground.path / "out/answer", ground.path / "target"], check=True)
        assert (ground.path / "target").stat().st_size > 4 * MIB


class TestForgery:
    """What a program says of its own end, of its streams, and of requests that it has not read."""

    def test_an_exit_is_the_kernels_word(self, containing_sandbox, ground):
        scene = Scene(limits=LIMITS)
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "forged_exit.py", scene)
        assert (result.cause, result.exit_status) == ("exit", 7)

    def test_an_exit_is_believed_by_who_reads_it_in_the_output(self, ground):
        result = unconfined(ground, SCRIPTS / "forged_exit.py", Scene())
        assert json.loads(result.stdout.splitlines()[1])["exit_status"] == 0

    def test_a_stream_is_the_one_that_was_written_to(self, containing_sandbox, ground):
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "forged_frames.py", Scene())
        assert result.cause == "ok"
        assert result.stderr == ""
        assert result.stdout.count("forged") == 3

    def test_a_stream_is_confused_by_who_reads_frames_in_it(self, ground):
        result = unconfined(ground, SCRIPTS / "forged_frames.py", Scene())
        unframed = result.stdout.removeprefix("trying").encode(errors="surrogateescape")
        assert (2, b"forged") in FrameReader().feed(unframed.replace(b"\xff", b"\0"))

    def test_a_result_before_its_request_is_refused(self, containing_sandbox, ground):
        with open_attack(containing_sandbox, "forged_result") as worker:
            time.sleep(0.5)
            with pytest.raises(WorkerDied) as died:
                ask(worker, ground.path / "target")
        assert died.value.result.cause == "output"
        assert not (ground.path / "target").exists()

    def test_a_result_before_its_request_is_taken_by_who_only_reads_on(self, ground):
        with bare_worker(ground.path, "forged_result") as worker:
            assert json.loads(worker.stdout.readline()) == {"type": "result", "id": "r1", "rows": 1}
        assert (ground.path / "out/answer").read_text() == "forged"
