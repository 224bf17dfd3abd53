"""Which sandbox is taken, and what is said of one that is not there."""

import shutil
import sys

import pytest

from records.errors import SandboxError, SandboxRefusedError
from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox, probe_sandboxes


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """An environment without bubblewrap and without a Docker engine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")


def test_auto_prefers_what_contains(prepared):
    available = [name for name in ("docker", "bwrap", "process") if not isinstance(prepared[name], SandboxError)]
    assert choose_sandbox("auto").name == available[0]


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bubblewrap here")
def test_auto_without_an_engine_is_bubblewrap(no_engine, prepared):
    if isinstance(prepared["bwrap"], SandboxError):
        pytest.skip(prepared["bwrap"].what)
    assert choose_sandbox("auto").name == "bwrap"


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox `process` needs Linux")
class TestBareMachine:
    def test_auto_runs_trusted_programs_only(self, bare_machine):
        sandbox = choose_sandbox("auto")
        argv = ("python", "-c", "print('ran')")
        assert sandbox.name == "process"
        assert sandbox.run(RunSpec(argv=argv, trusted=True, limits=Limits(seconds=60))).stdout == "ran\n"
        with pytest.raises(SandboxRefusedError, match="apt-get install bubblewrap") as refused:
            sandbox.run(RunSpec(argv=argv))
        assert "--sandbox process" in refused.value.next_step
        with pytest.raises(SandboxRefusedError, match="doctor --build-image"):
            sandbox.open(RunSpec(argv=argv))

    def test_a_person_may_ask_for_a_plain_process(self, bare_machine):
        result = choose_sandbox("process").run(RunSpec(argv=("python", "-c", "print('ran')")))
        assert (result.cause, result.stdout) == ("ok", "ran\n")

    @pytest.mark.parametrize(
        ("name", "what", "next_step"),
        [("bwrap", "no `bwrap` in PATH", "apt-get install"), ("docker", "No Docker engine answers", "Start one")],
    )
    def test_a_named_one_that_is_not_there(self, bare_machine, name, what, next_step):
        with pytest.raises(SandboxError, match=what) as missing:
            choose_sandbox(name)
        assert next_step in missing.value.next_step

    def test_findings(self, bare_machine):
        docker, bwrap, process = probe_sandboxes()
        assert (docker.name, docker.available, bwrap.name, bwrap.available) == ("docker", False, "bwrap", False)
        assert docker.missing.startswith("No Docker engine answers")
        assert "apt-get install bubblewrap" in bwrap.next_step
        assert (process.name, process.available, process.missing, process.next_step) == ("process", True, "", "")


def test_a_bubblewrap_that_does_not_work(no_engine, monkeypatch, tmp_path):
    """Where namespaces are forbidden `bwrap` is there and fails: it is tried, not only looked for."""
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SandboxError, match="No permissions to create new namespace"):
        choose_sandbox("bwrap")
    assert choose_sandbox("auto").name == "process"
