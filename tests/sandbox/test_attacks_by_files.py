"""Attacks by what is left behind: names that lead elsewhere, and files for the next program. See `test_attacks`."""

import json
import subprocess
import sys

import pytest

from sandbox.base import Output, RunSpec
from tests.sandbox.attack_ground import LIMITS, MIB, SCRIPTS, Scene
from tests.sandbox.attack_places import in_sandbox, unconfined


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
        scene = Scene((str(escaped),))
        result = unconfined(ground, SCRIPTS / "escaping_names.py", scene)
        named = [json.loads(line)["outputs"][0] for line in result.stdout.splitlines() if line.startswith("{")]
        (ground.path / "copies").mkdir()
        (ground.path / "copies" / named[0]).write_bytes((ground.path / "box/out/answer").read_bytes())
        assert escaped.read_text() == "text"

    def test_strange_names_leave_nothing(self, containing_sandbox, ground):
        ground.monkeypatch.setattr("tempfile.tempdir", str(ground.path))
        result = in_sandbox(containing_sandbox)(ground, SCRIPTS / "strange_names.py", Scene())
        assert "trying" in result.stdout
        assert result.cause != "infra"
        assert list(ground.path.iterdir()) == []

    def test_strange_names_break_who_walks_and_prints_them(self, ground):
        unconfined(ground, SCRIPTS / "strange_names.py", Scene())
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
        in_sandbox(containing_sandbox)(ground, SCRIPTS / "planted_modules.py", Scene())
        result = containing_sandbox.run(RunSpec(("python", "-c", self.CHECK), limits=LIMITS))
        assert (result.cause, result.stdout) == ("ok", "honest")

    def test_planted_modules_are_imported_from_a_folder_that_stays(self, ground):
        ground.monkeypatch.setenv("HOME", str(ground.path / "home"))
        ground.monkeypatch.setenv("PYTHONPATH", "/nowhere")
        scene = Scene()
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
        unconfined(ground, ground.path / "planted_conftest.py", Scene())
        (box / "in/test_it.py").write_text(self.FAILING)
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "in/test_it.py"]
        result = subprocess.run(command, cwd=box, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout

    def test_state_is_not_found(self, containing_sandbox, ground):
        place = in_sandbox(containing_sandbox)
        place(ground, SCRIPTS / "state_left.py", Scene(("leave", ground.secret)))
        found = place(ground, SCRIPTS / "state_left.py", Scene(("find",)))
        assert "trying" in found.stdout
        assert ground.secret not in found.stdout

    def test_state_is_found_on_a_machine_that_stays(self, ground):
        attack = SCRIPTS / "state_left.py"
        unconfined(ground, attack, Scene(("leave", ground.secret)))
        assert ground.secret in unconfined(ground, attack, Scene(("find",))).stdout
