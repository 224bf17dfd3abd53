"""What only Docker has: labels and a reaper, an image by its digest, runtimes and GPUs, the engine's own settings."""

import json
import subprocess
import sys
import time

import pytest

from records.errors import SettingsError
from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox
from sandbox.docker_engine import DockerOptions, DockerSandbox
from sandbox.engine import connect
from sandbox.image import image_name
from tests.conftest import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("engine_there")]
WAIT = RunSpec(("python", "-c", 'print(\'{"type": "ready", "protocol": 1}\', flush=True); input()'))
PROGRAM = RunSpec(("python", "-c", "import os; print(*sorted(os.environ))"), limits=Limits(seconds=60))


@pytest.fixture
def engine_there(prepared):
    from tests.sandbox.conftest import usable

    usable(prepared["docker"], "docker")


@pytest.fixture
def client():
    client = connect()
    yield client
    client.close()


@pytest.fixture
def ours(client):
    """Return the containers and volumes of a run."""

    def look(run_id):
        filters = {"label": f"autoannotator.run={run_id}"}
        containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
        return containers, client.volumes.list(filters=filters)

    return look


@pytest.fixture
def planted(client):
    """Make a stopped container with these labels; remove it at the end."""
    made = []

    def plant(**labels):
        made.append(client.containers.create(image_name(), ["python"], labels=labels, network_mode="none"))
        return made[-1]

    yield plant
    for container in client.containers.list(all=True, ignore_removed=True):
        if container.id in {one.id for one in made}:
            container.remove(force=True)


def exists(client, container):
    return container.id in {one.id for one in client.containers.list(all=True, ignore_removed=True)}


def test_labels_name_the_run_and_a_deadline(ours, mark):
    sandbox = DockerSandbox(options=DockerOptions(run_id=mark))
    with sandbox.open(WAIT):
        [container], [volume] = ours(mark)
        labels = {key: value for key, value in container.labels.items() if key.startswith("autoannotator.")}
        assert set(labels) == {f"autoannotator.{name}" for name in ("run", "host", "box", "deadline")}
        assert volume.attrs["Labels"] == labels
        week = 7 * 24 * 3600
        assert 0.9 * week < float(labels["autoannotator.deadline"]) - time.time() <= week
    assert ours(mark) == ([], [])


def test_the_container_is_hardened(ours, mark):
    """As the engine itself has it, whatever we asked for."""
    with DockerSandbox(options=DockerOptions(run_id=mark)).open(WAIT):
        [container], [volume] = ours(mark)
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
    limits = Limits()
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], None, ["no-new-privileges"])
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (limits.memory, limits.memory, limits.processes)
    assert (host["PidMode"], host["IpcMode"], host["UTSMode"], host["UsernsMode"]) == ("", "private", "", "")
    assert config["User"] not in ("", "0", "root", "0:0")
    assert f"size={limits.storage}" in volume.attrs["Options"]["o"]
    assert not [mount for mount in container.attrs["Mounts"] if mount["RW"] and mount["Destination"] != "/box/out"]


def test_the_image_is_named_by_its_digest(client, ours, mark):
    sandbox = DockerSandbox(options=DockerOptions(run_id=mark))
    assert sandbox.image == client.images.get(image_name()).id
    with sandbox.open(WAIT):
        [container], _ = ours(mark)
        assert container.attrs["Config"]["Image"] == container.attrs["Image"] == sandbox.image


def test_the_reaper_takes_what_is_late_and_ours_only(client, planted):
    elsewhere = {f"autoannotator.{name}": "another" for name in ("run", "host", "box")}
    late = planted(**elsewhere, **{"autoannotator.deadline": str(int(time.time()) - 1)})
    early = planted(**elsewhere, **{"autoannotator.deadline": str(int(time.time()) + 3600)})
    broken = planted(**elsewhere, **{"autoannotator.deadline": "soon"})
    strange = planted(**{"autoannotator.deadline": "1", "autoannotator.box": "another"})
    volume = client.volumes.create(labels={**elsewhere, "autoannotator.deadline": "1"})
    DockerSandbox()
    assert [exists(client, one) for one in (late, early, broken, strange)] == [False, True, True, True]
    assert volume.name not in {one.name for one in client.volumes.list()}


def test_an_interrupted_hosts_containers_end_at_once(ours, mark):
    """Ctrl-C leaves without unwinding; no next start is needed."""
    code = (
        "import os, sys\n"
        "from sandbox.base import RunSpec\n"
        "from sandbox.docker_engine import DockerOptions, DockerSandbox\n"
        'wait = \'print(\\\'{"type": "ready", "protocol": 1}\\\', flush=True)\\nwhile True: pass\'\n'
        "worker = DockerSandbox(options=DockerOptions(run_id=sys.argv[1])).open(RunSpec(('python', '-c', wait)))\n"
        "print('open', flush=True); input(); os._exit(130)"
    )
    words = [sys.executable, "-c", code, mark]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as host:
        assert host.stdout.readline() == "open\n"
        assert [len(found) for found in ours(mark)] == [1, 1]
        host.communicate("\n")
    deadline = time.monotonic() + 20
    while ours(mark) != ([], []):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_proxy_of_the_engines_client_does_not_enter(monkeypatch, tmp_path):
    """Its address may hold a password. The control is the client's own default."""
    proxies = {"proxies": {"default": {"httpProxy": "http://user:secret@proxy.invalid"}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    result = DockerSandbox().run(PROGRAM)
    assert result.cause == "ok"
    assert "PROXY" not in result.stdout.upper()
    client = connect()
    try:
        words = ["python", "-c", "import os; print(*os.environ)"]
        assert b"HTTP_PROXY" in client.containers.run(image_name(), words, network_mode="none", remove=True)
    finally:
        client.close()


class TestOptions:
    def test_a_runtime_is_passed_on(self, ours, mark):
        sandbox = choose_sandbox("auto", DockerOptions(run_id=mark, runtime="io.containerd.runc.v2"))
        assert sandbox.name == "docker"
        with sandbox.open(WAIT):
            [container], _ = ours(mark)
            assert container.attrs["HostConfig"]["Runtime"] == "io.containerd.runc.v2"

    def test_a_runtime_that_the_engine_lacks(self):
        with pytest.raises(SettingsError, match=r"no runtime 'kata'; it has .*runc"):
            choose_sandbox("docker", DockerOptions(runtime="kata"))

    @pytest.mark.parametrize(
        ("gpus", "count", "devices"), [("all", -1, []), ("2", 2, []), ("device=0,GPU-1", 0, ["0", "GPU-1"])]
    )
    def test_gpus_are_passed_on(self, gpus, count, devices):
        """To an engine without any: what it refuses names what it was asked for."""
        sandbox = DockerSandbox(options=DockerOptions(gpus=gpus))
        result = sandbox.run(PROGRAM)
        assert result.cause == "infra"
        assert "capabilities: [[gpu]]" in result.detail
        [request] = sandbox.devices
        assert (request["Count"] or 0, request["DeviceIDs"]) == (count, devices)

    def test_gpus_that_name_none(self):
        with pytest.raises(SettingsError, match="'none' names no GPU"):
            DockerSandbox(options=DockerOptions(gpus="none"))


@pytest.mark.parametrize("name", ["bwrap", "process"])
def test_only_docker_takes_them(name):
    with pytest.raises(SettingsError, match="takes no --sandbox-runtime"):
        choose_sandbox(name, DockerOptions(runtime="runsc"))
