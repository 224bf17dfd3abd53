import os
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from records.errors import SandboxError
from sandbox.cgroups import find_controllers
from sandbox.choose import choose_sandbox
from sandbox.engine import connect
from tests.sandbox.attack_ground import Ground


@pytest.fixture(scope="session")
def prepared():
    """The sandboxes of this machine, by name; the error of one that it lacks."""
    found = {}
    for name in ("process", "bwrap", "docker"):
        try:
            found[name] = choose_sandbox(name)
        except SandboxError as error:
            found[name] = error
    return found


@pytest.fixture(params=["process", "bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def sandbox(request, prepared):
    return usable(prepared[request.param], request.param)


@pytest.fixture(params=["bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def containing_sandbox(request, prepared):
    return usable(prepared[request.param], request.param)


def usable(found, name):
    """Skip where the machine lacks the sandbox, and fail where AUTOANNOTATOR_REQUIRE_DOCKER (_BWRAP) is set."""
    if not isinstance(found, SandboxError):
        return found
    if name == "process" or os.environ.get(f"AUTOANNOTATOR_REQUIRE_{name.upper()}") == "1":
        raise found
    pytest.skip(f"no sandbox {name} here: {found.what}")


@pytest.fixture
def mark():
    """A word for a command line that no other process has."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def running_with():
    """Return the ids of this machine's processes, inside sandboxes too, that have a word among their arguments."""

    def look(word):
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:  # it ended
                    continue
                if word.encode() in words:
                    found.append(int(folder.name))
        return found

    return look


@pytest.fixture
def kept_for(prepared):
    """Return the containers and volumes whose box lies below a folder; none where there is no engine."""

    def look(folder):
        if isinstance(prepared["docker"], SandboxError):
            return []
        client = connect()
        try:
            filters = {"label": "autoannotator.box"}
            containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
            labelled = [(one.id, one.labels) for one in containers]
            labelled += [(one.name, one.attrs["Labels"]) for one in client.volumes.list(filters=filters)]
            return [name for name, labels in labelled if labels["autoannotator.box"].startswith(str(folder))]
        finally:
            client.close()

    return look


@pytest.fixture
def empty_groups(prepared):
    """Return the control groups of ours that hold no process; those of other tests come and go."""

    def look():
        found = []
        for controller in find_controllers():
            for group in controller.parent.glob("autoannotator-box-*"):
                try:
                    found += [] if (group / "cgroup.procs").read_text() else [group]
                except OSError:  # it has gone
                    continue
        return found

    return look


@pytest.fixture
def ground(tmp_path, prepared, monkeypatch):
    """The host of one attack."""
    with ExitStack() as stack:
        ground = Ground(tmp_path, stack, monkeypatch, prepared)
        stack.callback(ground.kill)
        yield ground
