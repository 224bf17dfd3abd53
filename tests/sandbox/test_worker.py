"""What every sandbox's warm worker must hold, run against each real one."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from records.protocol import AnnotateRequest
from sandbox.base import Limits, Output, RequestFailed, RunSpec, WorkerDied

PROGRAMS = Path(__file__).with_name("programs")
WORKER = {"worker.py": PROGRAMS / "worker.py"}


def start(sandbox, **limits):
    limits = Limits(**{"seconds": 60, **limits})
    return sandbox.open(RunSpec(argv=("python", "in/worker.py"), inputs=WORKER, limits=limits))


@pytest.fixture
def ask(tmp_path):
    """Send a request whose input file holds the text; return the result and what the output file holds."""

    def send(worker, text, *, seconds=30, on_progress=None, request_id="r1"):
        (tmp_path / "question").write_text(text)
        result = worker.request(
            AnnotateRequest(id=request_id, input="in/question", output="out/answer"),
            inputs={"question": tmp_path / "question"},
            outputs={"answer": Output(tmp_path / "answer", "text")},
            seconds=seconds,
            on_progress=on_progress,
        )
        return result, (tmp_path / "answer").read_text()

    return send


def test_serves_many_requests(sandbox, ask):
    seen = []
    with start(sandbox) as worker:
        assert (worker.ready.model_type, worker.ready.parameters) == ("none", 3)
        for number in range(5):
            result, answer = ask(worker, f"upper row {number}", on_progress=seen.append, request_id=f"r{number}")
            assert (result.rows, result.tokens, answer) == (2, 7, f"ROW {number}")
    assert [(progress.id, progress.done, progress.total) for progress in seen] == [(f"r{n}", 1, 2) for n in range(5)]


def test_a_finished_requests_files_are_gone(sandbox, ask):
    with start(sandbox) as worker:
        ask(worker, "upper a")
        assert ask(worker, "list_files")[1] == "question worker.py"


def test_a_refused_request_leaves_the_worker_alive(sandbox, ask):
    with start(sandbox) as worker:
        with pytest.raises(RequestFailed, match="no such label"):
            ask(worker, "refuse")
        assert ask(worker, "upper again")[1] == "AGAIN"


@pytest.mark.parametrize(
    ("action", "cause", "detail"),
    [
        ("leave", "exit", "ended instead of serving"),
        ("babble", "output", "Loading weights"),
        ("spill", "output", "more than 65536 bytes"),
        ("answer_another", "output", "a reply to request"),
        ("write_nothing", "output", "out/answer is missing"),
        ("link", "output", "is no regular file"),
        ("grow", "oom", "are allowed"),
    ],
)
def test_death_in_a_request(sandbox, ask, action, cause, detail):
    with start(sandbox, memory=300 * 2**20) as worker:
        with pytest.raises(WorkerDied) as died:
            ask(worker, action)
        assert died.value.result.cause == cause
        assert detail in died.value.result.detail


def test_crash_in_a_request(sandbox, ask, tmp_path):
    with start(sandbox) as worker:
        with pytest.raises(WorkerDied) as first:
            ask(worker, "crash")
        assert (first.value.result.cause, first.value.result.exit_status) == ("exit", 1)
        assert "the model has no such layer" in first.value.result.stderr
        assert not (tmp_path / "answer").exists()
        with pytest.raises(WorkerDied) as second:
            ask(worker, "upper again")
        assert second.value.result == first.value.result


def test_timeout_in_a_request(sandbox, ask):
    with start(sandbox) as worker:
        began = time.monotonic()
        with pytest.raises(WorkerDied) as died:
            ask(worker, "sleep", seconds=0.5)
        assert died.value.result.cause == "timeout"
        assert time.monotonic() - began < 5


def test_a_worker_that_does_not_read_cannot_block_the_host(sandbox, tmp_path, mark):
    inputs = {"program.py": PROGRAMS / "stubborn.py"}
    with sandbox.open(RunSpec(("python", "in/program.py", mark), inputs, limits=Limits(seconds=60))) as worker:
        request = AnnotateRequest(id="x" * 10**7, input="in/a", output="out/b")
        with pytest.raises(WorkerDied) as died:
            worker.request(request, inputs={}, outputs={}, seconds=1)
        assert died.value.result.cause == "timeout"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import time; time.sleep(60)", "timeout"),
        ("raise RuntimeError('no weights')", "exit"),
        ("pass", "exit"),
        ("print('hello')", "output"),
        ('print(\'{"type": "ready", "protocol": 99}\')', "output"),
        ('print(\'{"type": "result", "id": "r", "rows": 1}\')', "output"),
    ],
)
def test_a_worker_that_is_never_ready(sandbox, code, cause):
    with pytest.raises(WorkerDied) as died:
        sandbox.open(RunSpec(argv=("python", "-c", code), limits=Limits(seconds=3)))
    assert died.value.result.cause == cause


def test_a_worker_opened_in_a_thread_outlives_the_thread(sandbox, ask):
    opened = []
    thread = threading.Thread(target=lambda: opened.append(start(sandbox)))
    thread.start()
    thread.join()
    time.sleep(0.5)
    with opened[0] as worker:
        assert ask(worker, "upper still here")[1] == "STILL HERE"


def test_a_checkpoint_leaves_while_the_request_is_under_way(sandbox, ask, tmp_path):
    seen = []

    def look(progress):
        seen.append((progress.done, (tmp_path / "answer").read_text()))

    with start(sandbox) as worker:
        assert ask(worker, "save twice", on_progress=look)[1] == "end"
    assert seen == [(1, "step 1"), (2, "step 2")]


def test_progress_that_names_what_was_not_declared(sandbox, ask):
    with start(sandbox) as worker, pytest.raises(WorkerDied, match=r"not declared: \['other'\]"):
        ask(worker, "name_other")


def test_a_result_before_the_request_is_no_result(sandbox, ask):
    with start(sandbox) as worker:
        ask(worker, "answer_ahead r2")
        with pytest.raises(WorkerDied, match="before it was asked"):
            ask(worker, "upper x", request_id="r2")


@pytest.mark.parametrize("name", ["deep/answer", "../answer"])
def test_a_requests_names_are_plain(sandbox, tmp_path, name):
    request = AnnotateRequest(id="r", input="in/question", output="out/answer")
    with start(sandbox) as worker, pytest.raises(ValueError, match="directly in in/ or out/"):
        worker.request(request, inputs={}, outputs={name: Output(tmp_path / "answer", "text")}, seconds=5)


class TestNothingIsLeft:
    """A host of its own, with a temporary folder of its own."""

    @pytest.fixture
    def host(self, tmp_path, monkeypatch, mark):
        """Return a function that starts a host with this temporary folder."""
        (tmp_path / "tmp").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
        hosts = []

        def begin(sandbox, action):
            words = [sys.executable, PROGRAMS / "host.py", sandbox.name, action, PROGRAMS / "stubborn.py", mark]
            hosts.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            return hosts[-1]

        yield begin
        for process in hosts:
            process.send_signal(signal.SIGINT)
            process.communicate()

    @pytest.fixture
    def left(self, tmp_path, mark, running_with, kept_for, empty_groups):
        """Return a function that lists what hosts have left: processes, files, containers, volumes and groups."""
        return lambda: [*running_with(mark), *(tmp_path / "tmp").iterdir(), *kept_for(tmp_path), *empty_groups()]

    def test_after_fifty_runs(self, sandbox, host, left):
        process = host(sandbox, "50")
        printed, _ = process.communicate(timeout=300)
        assert printed.split() == ["timeout", *["exit", "ok"] * 4, "exit"] * 5
        await_that(lambda: left() == [])

    def test_after_an_interrupt(self, sandbox, host, left):
        process = host(sandbox, "open")
        assert process.stdout.readline() == "open\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        await_that(lambda: left() == [])

    def test_after_the_host_is_killed(self, sandbox, host, left, mark, running_with):
        process = host(sandbox, "open")
        assert process.stdout.readline() == "open\n"
        await_that(lambda: len(running_with(mark)) > 3)  # the host, the worker, its grandchild, and what is between
        process.kill()
        process.wait()
        await_that(lambda: not running_with(mark))
        next_host = host(sandbox, "1")
        next_host.communicate(timeout=120)
        assert next_host.returncode == 0
        await_that(lambda: left() == [])

    def test_a_living_hosts_worker_is_left_alone(self, sandbox, host, mark, running_with):
        process = host(sandbox, "open")
        assert process.stdout.readline() == "open\n"
        alive = set(running_with(mark))
        second = host(sandbox, "1")
        second.communicate(timeout=120)
        assert second.returncode == 0
        assert alive
        assert alive <= set(running_with(mark))


def await_that(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
