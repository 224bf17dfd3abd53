"""Attacks on the sandbox: each is a script that tries, and what happened is looked at from outside.

Each has a control: the same script where nothing contains it, judged by the same observation, succeeds. So no test
passes because the attack was written wrong.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from records.protocol import AnnotateRequest
from sandbox.base import Limits, Output, RequestFailed, RunSpec, Sandbox, WorkerDied
from tests.sandbox import attack_kernel, attack_network, attack_resources, attack_results, attack_secrets
from tests.sandbox.attack_ground import LIMITS, MIB, SCRIPTS, Attack, Ground, carry_out
from tests.sandbox.attack_places import in_sandbox, unconfined

ROOT = Path(__file__).parent.parent.parent
TABLES = (attack_network, attack_secrets, attack_kernel, attack_resources, attack_results)
ATTACKS: tuple[Attack, ...] = tuple(attack for table in TABLES for attack in table.ATTACKS)
TOLD_APART = {
    "terminal_input": "needs a terminal",
    "endless_line": "a warm worker",
    "swapped_result": "a warm worker",
    "growing_result": "a warm worker",
    "forged_result": "a warm worker",
    "forged_exit": "judged by what a program may not say of itself",
    "forged_frames": "judged by what a program may not say of itself",
    "repeated_checkpoints": "told while it runs",
    "escaping_names": "told while it runs",
    "strange_names": "judged by what is left",
    "planted_modules": "two runs",
    "planted_conftest": "two runs",
    "state_left": "two runs",
}
"""Scripts that have tests of their own below, and why."""


def listed() -> list:
    marks = pytest.mark.xdist_group("bombs")
    names = [attack.name for attack in ATTACKS]
    ids = [
        attack.name if names.count(attack.name) == 1 else f"{attack.name}-{names[:place].count(attack.name)}"
        for place, attack in enumerate(ATTACKS)
    ]
    return [
        pytest.param(attack, id=name, marks=marks if attack.bomb else ())
        for name, attack in zip(ids, ATTACKS, strict=True)
    ]


@pytest.fixture
def ground(tmp_path, prepared, monkeypatch):
    with ExitStack() as stack:
        ground = Ground(tmp_path, stack, monkeypatch, prepared)
        stack.callback(ground.kill)
        yield ground


def test_every_script_is_used_and_they_are_many():
    scripts = {path.stem for path in SCRIPTS.glob("*.py")}
    used = {attack.name for attack in ATTACKS} | set(TOLD_APART)
    assert used == scripts
    assert len(scripts) >= 40


@pytest.mark.parametrize("attack", listed())
def test_a_sandbox_blocks_it(attack: Attack, containing_sandbox: Sandbox, ground: Ground):
    ground.sandbox = containing_sandbox
    scene = attack.prepare(ground)
    outcome = carry_out(attack, scene, ground, in_sandbox(containing_sandbox))
    assert outcome.ran, outcome.result
    assert not outcome.succeeded, outcome.result
    assert outcome.result.cause == (scene.cause or outcome.result.cause) != "infra", outcome.result


@pytest.mark.parametrize("attack", listed())
def test_it_succeeds_without(attack: Attack, ground: Ground):
    outcome = carry_out(attack, attack.prepare(ground), ground, attack.control)
    assert outcome.ran, outcome.result
    assert outcome.succeeded, outcome.result


class TestTerminal:
    """An attack that types into the terminal of whoever started the sandbox."""

    def typed(self, place: str) -> str:
        command = [sys.executable, "-m", "tests.sandbox.attack_terminal", place]
        result = subprocess.run(
            [*command, str(SCRIPTS / "terminal_input.py"), "rm"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return result.stdout

    def test_is_blocked(self, containing_sandbox):
        assert self.typed(containing_sandbox.name) == ""

    @pytest.mark.skipif(os.getuid() != 0, reason="newer kernels let only root type into a terminal")
    def test_succeeds_without(self):
        assert "rm" in self.typed("none")


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
                    assert not target.exists() or target.read_text() == "harmless"

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
        scene = attack_resources.Scene(("600",), limits=Limits(seconds=1))
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
        scene = attack_resources.Scene(limits=LIMITS)
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "forged_exit.py", scene)
        assert (result.cause, result.exit_status) == ("exit", 7)

    def test_an_exit_is_believed_by_who_reads_it_in_the_output(self, ground):
        result = unconfined(ground, SCRIPTS / "forged_exit.py", attack_resources.Scene())
        assert json.loads(result.stdout.splitlines()[1])["exit_status"] == 0

    def test_a_stream_is_the_one_that_was_written_to(self, containing_sandbox, ground):
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "forged_frames.py", attack_resources.Scene())
        assert result.cause == "ok"
        assert result.stderr == ""
        assert result.stdout.count("forged") == 3

    def test_a_stream_is_confused_by_who_reads_frames_in_it(self, ground):
        from sandbox.container import FrameReader

        result = unconfined(ground, SCRIPTS / "forged_frames.py", attack_resources.Scene())
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


class TestNames:
    def test_a_name_does_not_lead_elsewhere(self, containing_sandbox, ground):
        """Each name that leads out of `out/` is refused: told as complete, only what was declared is copied."""
        told, escaped = [], ground.path / "escaped"
        spec = RunSpec(
            argv=("python", "in/attack.py", str(escaped)),
            inputs={"attack.py": SCRIPTS / "escaping_names.py"},
            outputs={"answer": Output(ground.path / "target", "text", MIB)},
            limits=LIMITS,
        )
        result = containing_sandbox.run(spec, on_progress=told.append)
        assert result.cause == "output"
        assert told == []
        assert not escaped.exists()

    def test_a_name_leads_elsewhere_where_it_is_joined(self, ground):
        escaped = ground.path / "escaped"
        scene = attack_resources.Scene((str(escaped),))
        result = unconfined(ground, SCRIPTS / "escaping_names.py", scene)
        named = [json.loads(line)["outputs"][0] for line in result.stdout.splitlines() if line.startswith("{")]
        (ground.path / "copies").mkdir()
        (ground.path / "copies" / named[0]).write_bytes((ground.path / "box/out/answer").read_bytes())
        assert escaped.read_text() == "text"

    def test_strange_names_leave_nothing(self, containing_sandbox, ground):
        ground.monkeypatch.setattr("tempfile.tempdir", str(ground.path))
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "strange_names.py", attack_resources.Scene())
        assert "trying" in result.stdout
        assert result.cause != "infra"
        assert list(ground.path.iterdir()) == []

    def test_strange_names_break_who_walks_and_prints_them(self, ground):
        unconfined(ground, SCRIPTS / "strange_names.py", attack_resources.Scene())
        names = [path.name for path in (ground.path / "box/out").iterdir()]
        with pytest.raises(UnicodeEncodeError):
            "\n".join(names).encode()
        with pytest.raises(OSError, match="name too long"):
            (ground.path / "box/out" / "/".join(["deeper"] * 1200)).stat()
        subprocess.run(["rm", "-rf", ground.path / "box"], check=True)


class TestNextRun:
    """What one program leaves must not change what the next one in the same sandbox does."""

    FAILING = "def test_fails():\n    assert False\n"
    CHECK = "import pyarrow, sys; sys.stdout.write('honest')"
    ALONE = ("--disable-plugin-autoload", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "in/scripts")

    def test_planted_modules_are_not_imported(self, containing_sandbox, ground):
        in_sandbox(containing_sandbox)(ground, SCRIPTS / "planted_modules.py", attack_resources.Scene())
        result = containing_sandbox.run(RunSpec(("python", "-c", self.CHECK), limits=LIMITS))
        assert (result.cause, result.stdout) == ("ok", "honest")

    def test_planted_modules_are_imported_from_a_folder_that_stays(self, ground):
        ground.monkeypatch.setenv("HOME", str(ground.path / "home"))
        ground.monkeypatch.setenv("PYTHONPATH", "/nowhere")
        scene = attack_resources.Scene()
        attack = SCRIPTS / "planted_modules.py"
        code = attack.read_text().replace("*map(Path, site.getsitepackages())", "")  # this environment is needed
        ground.plant_file("planted_modules.py", code)
        unconfined(ground, ground.path / "planted_modules.py", scene)
        command = [sys.executable, "-c", self.CHECK]
        result = subprocess.run(command, cwd=ground.path / "box", capture_output=True, text=True, check=True)
        assert result.stdout == "faked\n"

    def test_planted_tests_do_not_pass(self, containing_sandbox, ground):
        scripts = ground.path / "scripts"
        scripts.mkdir()
        ground.plant_file("scripts/test_it.py", self.FAILING)
        argv = ("python", "-B", "-m", "pytest", "-q", *self.ALONE, "in/scripts/test_it.py")
        check = RunSpec(argv, inputs={"scripts": scripts}, limits=LIMITS)
        plant = RunSpec(
            ("python", "in/attack.py"),
            inputs={"attack.py": SCRIPTS / "planted_conftest.py", "scripts": scripts},
            limits=LIMITS,
        )
        assert "trying" in containing_sandbox.run(plant).stdout
        result = containing_sandbox.run(check)
        assert (result.cause, result.exit_status) == ("exit", 1), result
        assert "1 failed" in result.stdout
        assert [path.name for path in scripts.iterdir()] == ["test_it.py"]

    def test_planted_tests_pass_in_a_folder_that_stays(self, ground):
        ground.monkeypatch.setenv("HOME", str(ground.path / "home"))
        ground.monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        box = ground.path / "box"
        attack = SCRIPTS / "planted_conftest.py"
        code = attack.read_text().replace('"/tmp", Path.home(), "/box", "/"', "Path.home()")  # the machine's own
        ground.plant_file("planted_conftest.py", code)
        unconfined(ground, ground.path / "planted_conftest.py", attack_resources.Scene())
        (box / "in/test_it.py").write_text(self.FAILING)
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "in/test_it.py"]
        result = subprocess.run(command, cwd=box, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout

    def test_state_is_not_found(self, containing_sandbox, ground):
        place = in_sandbox(containing_sandbox)
        place(ground, SCRIPTS / "state_left.py", attack_resources.Scene(("leave", ground.secret)))
        found = place(ground, SCRIPTS / "state_left.py", attack_resources.Scene(("find",)))
        assert "trying" in found.stdout
        assert ground.secret not in found.stdout

    def test_state_is_found_on_a_machine_that_stays(self, ground):
        attack = SCRIPTS / "state_left.py"
        unconfined(ground, attack, attack_resources.Scene(("leave", ground.secret)))
        assert ground.secret in unconfined(ground, attack, attack_resources.Scene(("find",))).stdout
