"""What every sandbox must hold, run against each real one."""

import json
import socket
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from sandbox.base import Limits, Output, RunSpec

NEST = """
import os
start = os.getcwd()
def nest(path, times):
    for _ in range(times):
        os.mkdir(path)
        os.chdir(path)
        path = "d"
"""
"""Code that makes folders, each in the one before."""


def run(sandbox, code, *arguments, inputs=None, outputs=None, **limits):
    limits = Limits(**{"seconds": 60, **limits})
    argv = ("python", "-c", code, *arguments)
    return sandbox.run(RunSpec(argv=argv, inputs=inputs or {}, outputs=outputs or {}, limits=limits))


class TestEnding:
    def test_ok(self, sandbox):
        result = run(sandbox, "import sys; print('to out'); print('to err', file=sys.stderr)")
        assert (result.cause, result.exit_status) == ("ok", 0)
        assert (result.stdout, result.stderr) == ("to out\n", "to err\n")
        assert 0 < result.seconds < 60

    def test_exit_status(self, sandbox):
        result = run(sandbox, "raise SystemExit(3)")
        assert (result.cause, result.exit_status, result.detail) == ("exit", 3, "exit status 3")

    def test_signal(self, sandbox):
        result = run(sandbox, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        assert (result.cause, result.exit_status, result.detail) == ("exit", 139, "ended by SIGSEGV")

    def test_timeout_kills_grandchildren_in_other_sessions(self, sandbox, mark, running_with):
        code = (
            "import subprocess, sys, time\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]],"
            " start_new_session=True)\n"
            "print('started', flush=True)\n"
            "time.sleep(600)"
        )
        result = run(sandbox, code, mark, seconds=2)
        assert (result.cause, result.exit_status, result.stdout) == ("timeout", None, "started\n")
        assert 2 <= result.seconds < 8
        assert not running_with(mark)

    def test_an_end_takes_the_background_processes_along(self, sandbox, mark, running_with):
        code = (
            "import subprocess, sys\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]],"
            " start_new_session=True)"
        )
        assert run(sandbox, code, mark).cause == "ok"
        assert not running_with(mark)

    def test_out_of_memory(self, sandbox):
        result = run(sandbox, "import time; b = bytearray(2**30); time.sleep(60)", memory=200 * 2**20)
        assert result.cause == "oom"
        assert str(200 * 2**20) in result.detail

    def test_file_too_large_is_disk(self, sandbox):
        code = "open('out/large', 'wb').write(bytes(2**20))"
        result = run(sandbox, code, outputs={"large": Output(Path("never"), "text")}, file_size=2**16)
        assert (result.cause, result.exit_status) == ("disk", 1)

    def test_a_full_folder_is_disk(self, containing_sandbox):
        code = "[open(f'out/{number}', 'wb').write(bytes(2**20)) for number in range(9)]"
        result = run(containing_sandbox, code, storage=8 * 2**20)
        assert (result.cause, result.exit_status) == ("disk", 1)
        assert str(8 * 2**20) in result.detail

    def test_too_many_processes(self, sandbox):
        """The kernel refuses more, or what looks at them ends all."""
        code = (
            "import subprocess, sys\n"
            "wait = [sys.executable, '-I', '-S', '-c', 'input()']\n"
            "children = [subprocess.Popen(wait, stdin=subprocess.PIPE) for _ in range(60)]"
        )
        result = run(sandbox, code, processes=30)
        assert result.cause == "exit"
        assert "BlockingIOError" in result.stderr or "30 are allowed" in result.detail

    def test_a_program_that_closes_its_streams_is_waited_for(self, sandbox, tmp_path):
        code = "import os, time; os.close(1); os.close(2); time.sleep(0.5); open('out/late', 'w').write('here')"
        assert run(sandbox, code, outputs={"late": Output(tmp_path / "late", "text")}).cause == "ok"
        assert (tmp_path / "late").read_text() == "here"


def test_captured_output_is_capped_and_keeps_both_ends(sandbox):
    code = "print('first'); [print('x' * 99) for _ in range(50_000)]; print('last')"
    result = run(sandbox, code, output=10_000)
    assert result.cause == "ok"
    assert result.stdout.startswith("first\n")
    assert result.stdout.endswith("last\n")
    assert len(result.stdout) < 10_100
    assert "bytes dropped]" in result.stdout


class TestSurroundings:
    def test_environment_is_a_fixed_list(self, sandbox, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        monkeypatch.setenv("HF_TOKEN", "hf-secret")
        result = run(
            sandbox, "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')", threads=3
        )
        variables = dict(line.split("=", 1) for line in result.stdout.splitlines())
        assert "secret" not in result.stdout
        assert {"OPENAI_API_KEY", "HF_TOKEN"}.isdisjoint(variables)
        assert variables["OMP_NUM_THREADS"] == "3"
        assert variables["HF_HUB_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == "1"
        assert variables["HOME"] not in (str(Path.home()), "")

    def test_starts_in_a_folder_with_in_and_out(self, sandbox):
        result = run(sandbox, "import os; print(*sorted(set(os.listdir('.')) & {'in', 'out'}), os.listdir('out'))")
        assert result.stdout == "in out []\n"

    def test_no_network(self, containing_sandbox):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            socket.create_connection(("127.0.0.1", port)).close()
            result = run(
                containing_sandbox, f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
            )
        assert result.cause == "exit"
        assert "OSError" in result.stderr

    def test_sees_no_file_and_no_process_of_the_host(self, containing_sandbox, tmp_path):
        (tmp_path / "private").write_text("secret")
        code = (
            "import os, sys; print(os.path.exists(sys.argv[1]), os.path.exists('/root/.ssh'),"
            " sum(name.isdigit() for name in os.listdir('/proc')) < 5, os.getuid() != 0)"
        )
        assert run(containing_sandbox, code, str(tmp_path / "private")).stdout == "False False True True\n"

    def test_only_out_and_tmp_can_be_written_to(self, containing_sandbox, tmp_path):
        (tmp_path / "data").write_text("as it was")
        places = ["/new", "new", "in/new", "in/data", "/usr/new", "/proc/sys/kernel/core_pattern", "/dev/new"]
        code = (
            "import sys\n"
            "for place in [*sys.argv[1:], 'out/new', '/tmp/new']:\n"
            "    try: open(place, 'a').close(); print(place)\n"
            "    except OSError: pass"
        )
        result = run(containing_sandbox, code, *places, inputs={"data": tmp_path / "data"})
        assert result.stdout.split() == ["out/new", "/tmp/new"]
        assert (tmp_path / "data").read_text() == "as it was"


class TestInputs:
    def test_files_and_folders(self, sandbox, tmp_path):
        (tmp_path / "model" / "deep").mkdir(parents=True)
        (tmp_path / "model" / "deep" / "weights").write_text("w")
        (tmp_path / "rows").write_text("r")
        code = "print(open('in/m/deep/weights').read(), open('in/data/rows').read())"
        result = run(sandbox, code, inputs={"m": tmp_path / "model", "data/rows": tmp_path / "rows"})
        assert result.stdout == "w r\n"

    def test_a_folder_of_links_like_the_hubs_cache(self, sandbox, tmp_path):
        (tmp_path / "blobs").mkdir()
        (tmp_path / "blobs" / "ab12").write_text("weights")
        (tmp_path / "snapshot").mkdir()
        (tmp_path / "snapshot" / "model.safetensors").symlink_to("../blobs/ab12")
        code = "print(open('in/model/model.safetensors').read())"
        assert run(sandbox, code, inputs={"model": tmp_path / "snapshot"}).stdout == "weights\n"

    def test_a_file_that_only_its_owner_can_read(self, sandbox, tmp_path):
        (tmp_path / "model").mkdir(mode=0o700)
        (tmp_path / "model" / "weights").write_text("w")
        (tmp_path / "model" / "weights").chmod(0o600)
        assert run(sandbox, "print(open('in/m/weights').read())", inputs={"m": tmp_path / "model"}).stdout == "w\n"

    @pytest.mark.parametrize("name", ["../escape", "/etc/escape", ""])
    def test_names_stay_below_in(self, sandbox, tmp_path, name):
        (tmp_path / "data").touch()
        with pytest.raises(ValueError, match="below in/"):
            run(sandbox, "", inputs={name: tmp_path / "data"})

    def test_a_missing_input_is_infra(self, sandbox, tmp_path):
        result = run(sandbox, "", inputs={"data": tmp_path / "missing"})
        assert result.cause == "infra"
        assert "missing" in result.detail


def write_parquet(path, expression):
    return f"import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({expression}), '{path}')"


class TestOutputs:
    def test_each_format(self, sandbox, tmp_path):
        code = (
            "import os, numpy, safetensors.numpy\n"
            "os.mkdir('out/model')\n"
            "safetensors.numpy.save_file({'w': numpy.ones(3)}, 'out/model/w')\n"
            "open('out/t', 'w').write('é'); open('out/j', 'w').write('[1]')\n"
        ) + write_parquet("out/p", "{'id': [7]}")
        formats = {"model/w": "safetensors", "t": "text", "j": "json", "p": "parquet"}
        (tmp_path / "t").write_text("stale")
        result = run(sandbox, code, outputs={name: Output(tmp_path / name, kind) for name, kind in formats.items()})
        assert result.cause == "ok", result
        assert (tmp_path / "t").read_text() == "é"
        assert json.loads((tmp_path / "j").read_text()) == [1]
        assert pq.read_table(tmp_path / "p").to_pydict() == {"id": [7]}
        assert load_file(tmp_path / "model" / "w")["w"].tolist() == [1, 1, 1]

    def test_an_optional_one_may_be_left_out(self, sandbox, tmp_path):
        outputs = {"x": Output(tmp_path / "target", "text", optional=True)}
        assert run(sandbox, "", outputs=outputs).cause == "ok"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("", "is missing"),
            ("import os; os.symlink('/etc/passwd', 'out/x')", "is no regular file"),
            ("import os; os.mkfifo('out/x')", "is no regular file"),
            ("import os; os.mkdir('out/x')", "is no regular file"),
            ("open('out/x', 'wb').write(bytes(100_001))", "is larger than 100000 bytes"),
            ("open('out/x', 'wb').truncate(2**30)", "is larger than 100000 bytes"),
            ("open('out/x', 'wb').write(b'\\xff')", "is no text (UnicodeDecodeError"),
        ],
        ids=["missing", "link", "pipe", "folder", "large", "sparse", "binary"],
    )
    def test_unfit(self, sandbox, tmp_path, code, reason):
        result = run(sandbox, code, outputs={"x": Output(tmp_path / "target", "text", limit=100_000)})
        assert (result.cause, result.exit_status) == ("output", 0)
        assert reason in result.detail
        assert list(tmp_path.iterdir()) == []

    def test_a_failed_program_leaves_nothing(self, sandbox, tmp_path):
        result = run(
            sandbox,
            "open('out/x', 'w').write('x'); raise SystemExit(1)",
            outputs={"x": Output(tmp_path / "target", "text")},
        )
        assert result.cause == "exit"
        assert list(tmp_path.iterdir()) == []

    def test_a_nested_name_does_not_pass_a_link(self, sandbox, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        result = run(
            sandbox, "import os; os.symlink('/etc', 'out/d')", outputs={"d/passwd": Output(tmp_path / "target", "text")}
        )
        assert result.cause == "output"
        assert not (tmp_path / "target").exists()


class Cancelled(Exception):
    """What a caller may raise in the middle of a run."""


class TestProgress:
    CODE = (
        "import json, time\n"
        "def tell(done, *outputs):\n"
        "    print(json.dumps(dict(type='progress', id='t', done=done, total=2, outputs=outputs)), flush=True)\n"
        "print('log')\n"
    )

    def follow(self, sandbox, code, tmp_path, on_progress):
        outputs = {"c.json": Output(tmp_path / "c.json", "json", optional=True)}
        spec = RunSpec(("python", "-c", self.CODE + code), outputs=outputs, limits=Limits(seconds=60))
        return sandbox.run(spec, on_progress)

    def test_a_checkpoint_leaves_while_the_program_runs(self, sandbox, tmp_path):
        """As often as it is told of; the host sees it before the program goes on."""
        code = (
            "for n in (1, 2):\n"
            "    open('out/c.json', 'w').write(str(n))\n"
            "    tell(n, 'c.json')\n"
            "    time.sleep(0.3)\n"
            "import os; os.unlink('out/c.json')"
        )
        seen = []
        result = self.follow(
            sandbox, code, tmp_path, lambda step: seen.append((step.done, (tmp_path / "c.json").read_text()))
        )
        assert result.cause == "ok"
        assert seen == [(1, "1"), (2, "2")]
        assert result.stdout.startswith("log\n")

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("tell(1, '../../etc/passwd')", "not declared"),
            ("tell(1, 'c.json')", None),
            ("open('out/c.json', 'w').write('{'); tell(1, 'c.json')", "is no json"),
            ("import os; os.symlink('/etc/passwd', 'out/c.json'); tell(1, 'c.json')", "is no regular file"),
            ("for n in range(20_000): tell(n)", "lines of progress"),
            ("print('x' * 100_000)", "a line of more than 65536 bytes"),
        ],
        ids=["undeclared", "missing", "broken", "link", "flood", "long line"],
    )
    def test_unfit(self, sandbox, tmp_path, code, reason):
        result = self.follow(sandbox, f"{code}\ntime.sleep(0.5)", tmp_path, lambda step: None)
        assert result.cause == ("output" if reason else "ok")
        assert (reason or "") in result.detail
        assert list(tmp_path.iterdir()) == []

    def test_cancellation(self, sandbox, tmp_path, monkeypatch):
        """An error of the caller ends the program, and nothing is left."""
        (tmp_path / "tmp").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

        def cancel(_):
            raise Cancelled

        began = time.monotonic()
        with pytest.raises(Cancelled):
            self.follow(sandbox, "tell(1)\ntime.sleep(60)", tmp_path, cancel)
        assert time.monotonic() - began < 20
        assert list((tmp_path / "tmp").iterdir()) == []


def test_no_state_passes_from_one_run_to_the_next(sandbox):
    code = (
        "import os\n"
        "places = ['.', 'out', os.environ['HOME'], os.environ['TMPDIR'], *sys.argv[1:]]\n"
        "print(sum(os.path.exists(f'{place}/planted') for place in places))\n"
        "for place in places:\n"
        "    try: open(f'{place}/planted', 'w').close()\n"
        "    except OSError: pass\n"
        "print(sum(os.path.exists(f'{place}/planted') for place in places) > 1)"
    )
    shared = () if sandbox.name == "process" else ("/tmp", "/dev/shm", "/var/tmp")
    for _ in range(2):
        assert run(sandbox, f"import sys\n{code}", *shared).stdout == "0\nTrue\n"


def test_what_a_program_prints_cannot_move_the_cursor(sandbox):
    result = run(sandbox, r"print('\x1b[2Jgone\rover\u202e\x9b1A', end='')")
    assert result.stdout == "\\u001b[2Jgone\nover\\u202e\\u009b1A"


def test_may_be_used_from_several_threads_that_end(sandbox, tmp_path):
    """A program started from a thread outlives that thread."""
    results = []

    def start(number):
        opened = run(sandbox, "import sys, time; time.sleep(0.3); print(sys.argv[1])", str(number))
        results.append((number, opened.cause, opened.stdout))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(number, "ok", f"{number}\n") for number in range(3)]


def test_folders_that_resist_removal_are_removed(sandbox, monkeypatch, tmp_path):
    """Nested deeper than Python's recursion and a path's length allow, or closed by their owner."""
    code = f"{NEST}\nnest('out/x', 3000)\nos.chdir(start)\nos.mkdir('out/y')\nos.chmod('out/y', 0)\nprint('made')"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(sandbox, code).stdout == "made\n"
    assert list(tmp_path.iterdir()) == []


def test_descriptors_do_not_leak(sandbox):
    def count():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    run(sandbox, "")
    before = count()
    for _ in range(3):
        run(sandbox, "")
        run(sandbox, "import time; time.sleep(60)", seconds=0.3)
    assert count() == before
