"""The image holds what generated scripts import, in this environment's versions, and no tool of any kind."""

import hashlib
import re
import tarfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from records.errors import SandboxError
from sandbox import image
from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox
from sandbox.engine import connect
from sandbox.image import DEFAULT_BASE, build_image, image_digest, image_name
from tests.conftest import ROOT
from tests.sandbox.conftest import usable

PACKAGES = ("numpy", "peft", "pyarrow", "pytest", "safetensors", "tokenizers", "torch", "transformers")
TOOLS = frozenset(
    """sh bash dash ash busybox env cat ls cp rm dd tar find chmod chroot perl awk gawk sed tclsh lua ruby node
    pip pip3 uv conda apt apt-get dpkg rpm dnf yum apk gcc cc c++ g++ clang tcc ld as make cmake protoc gdb strace
    mount umount su sudo login nsenter unshare setpriv ldconfig curl wget nc ssh git openssl""".split()
)
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "ensurepip", "venv", "_distutils_hack"})
REAL_WORK = """
import pyarrow as pa, pyarrow.parquet as pq, torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, BertConfig

torch.manual_seed(0)
sizes = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
config = BertConfig(**sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
AutoModelForSequenceClassification.from_config(config).save_pretrained("out/base")
model = AutoModelForSequenceClassification.from_pretrained("out/base", use_safetensors=True)
model = get_peft_model(model, LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS"))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
losses = []
for _ in range(20):
    loss = model(input_ids=torch.arange(20).view(4, 5), labels=torch.tensor([0, 1, 0, 1])).loss
    loss.backward(), optimizer.step(), optimizer.zero_grad()
    losses.append(loss.item())
pq.write_table(pa.table({"loss": losses}), "out/losses.parquet")
read = pq.read_table("out/losses.parquet")["loss"].to_pylist()
print(read[-1] < 0.8 * read[0], len(load_file("out/base/model.safetensors")) > 0)
"""
GENERATED_TEST = """
import pytest, torch

@pytest.mark.parametrize("n", [1, 2])
def test_sum(n):
    assert {} == n * 3
"""


@pytest.fixture(scope="module")
def docker_sandbox(prepared):
    return usable(prepared["docker"], "docker")


@pytest.fixture(scope="module")
def entries(docker_sandbox):
    """Every entry of the image's root by its path, as the engine hands it out: nothing inside is asked."""
    client = connect()
    container = client.containers.create(image_name(), ["python"])
    try:
        with TemporaryFile() as file:
            file.writelines(container.export())
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                return {"/" + member.name: member for member in archive}
    finally:
        container.remove()
        client.close()


def run_python(sandbox, *words, inputs=None):
    return sandbox.run(RunSpec(argv=("python", *words), inputs=inputs or {}, limits=Limits(seconds=120)))


def test_the_tag_is_a_hash_of_every_file_that_the_build_gets():
    name, _, tag = image_name().partition(":")
    folder = Path(image.__file__).with_name("images")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    assert [path.name for path in files] == ["Dockerfile", "assemble.py", "requirements.txt"]
    assert name == "autoannotator-sandbox"
    assert tag == hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def read_pins(path: Path) -> dict[str, str]:
    lines = (line.partition("==") for line in path.read_text().splitlines())
    return {name.lower().replace("_", "-"): version for name, pinned, version in lines if pinned}


def test_the_image_gets_the_versions_that_the_constraints_name():
    wanted = read_pins(ROOT / "constraints.txt")
    pins = read_pins(Path(image.__file__).with_name("images") / "requirements.txt")
    shared = pins.keys() & wanted.keys()
    assert {"pytest", "torch", "transformers"} <= shared
    assert {name: pins[name] for name in shared} == {name: wanted[name] for name in shared}


@pytest.mark.docker
def test_the_digest_is_the_engines(docker_sandbox):
    client = connect()
    try:
        digest = image_digest(client, image_name())
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
        assert image_name() in client.images.get(digest).tags
        assert docker_sandbox.image == digest
        with pytest.raises(SandboxError, match="has no image no-such-image:1"):
            image_digest(client, "no-such-image:1")
    finally:
        client.close()


@pytest.mark.docker
def test_scripts_find_the_versions_of_this_environment(docker_sandbox):
    code = f"from importlib.metadata import version; print(*(version(name) for name in {PACKAGES}))"
    assert run_python(docker_sandbox, "-c", code).stdout.split() == [version(name) for name in PACKAGES]


@pytest.mark.docker
def test_the_packages_work(docker_sandbox):
    result = run_python(docker_sandbox, "-c", REAL_WORK)
    assert (result.cause, result.stdout.split()) == ("ok", ["True", "True"]), result.stderr


@pytest.mark.docker
def test_pytest_runs_generated_tests(docker_sandbox, tmp_path):
    for expression, status, told in (("int(torch.full((n,), 3).sum())", 0, "2 passed"), ("0", 1, "2 failed")):
        test = tmp_path / "test_generated.py"
        test.write_text(GENERATED_TEST.format(expression))
        result = run_python(docker_sandbox, "-m", "pytest", "-p", "no:cacheprovider", "in", inputs={test.name: test})
        assert (result.exit_status, told in result.stdout) == (status, True), result.stdout


@pytest.mark.docker
@pytest.mark.xdist_group("image")  # one worker, one export of it
def test_only_the_interpreter_and_what_it_cannot_do_without_is_executable(entries):
    executable = {
        Path(path).name for path, one in entries.items() if one.isfile() and one.mode & 0o111 and one.size > 0
    }
    loader = {name for name in executable if re.fullmatch(r"ld-linux-\S+\.so\.\d", name)}
    assert len(loader) == 1
    assert executable - loader == {"python", "torch_shm_manager"}
    links = {path: one.linkname for path, one in entries.items() if one.issym() or one.islnk()}
    assert links == {"/opt/venv/bin/python3": "python", "/etc/mtab": "/proc/mounts"}  # the second is the engine's


@pytest.mark.docker
@pytest.mark.xdist_group("image")  # one worker, one export of it
def test_there_is_no_tool_under_any_mode(entries):
    assert {path for path, one in entries.items() if not one.isdir() and Path(path).name in TOOLS} == set()
    found = {Path(path).parts[-1] for path in entries if re.search(r"/(site-packages|python3\.\d+)/[^/]+$", path)}
    assert {"torch", "asyncio"} <= found, "these are the folders of packages and of the standard library"
    assert found & INSTALLERS == set()
    unfit = (".whl", ".a", ".h", ".hpp", ".c", ".cpp", ".sh", ".exe", ".pl")
    assert {path for path in entries if path.endswith(unfit)} == set()


@pytest.mark.docker
@pytest.mark.xdist_group("image")  # one worker, one export of it
def test_nobody_but_root_can_change_the_image_or_become_another(entries):
    assert {path for path, one in entries.items() if (one.uid, one.gid) != (0, 0)} == set()
    assert {path for path, one in entries.items() if one.mode & 0o6000} == set()
    assert {path for path, one in entries.items() if one.mode & 0o022 and not one.issym()} == {"/tmp"}
    assert {path for path, one in entries.items() if not (one.isfile() or one.isdir() or one.issym())} == set()
    assert {path for path, one in entries.items() if "SCHILY.xattr.security.capability" in one.pax_headers} == set()


@pytest.mark.docker
@pytest.mark.xdist_group("image")  # one worker, one export of it
def test_the_mount_points_are_there_and_empty(entries):
    for point in ("/box/in", "/box/out", "/proc", "/sys", "/tmp"):
        assert entries[point].isdir()
        assert [path for path in entries if path.startswith(point + "/")] == []
    assert entries["/tmp"].mode & 0o7777 == 0o1777


@pytest.mark.docker
def test_a_program_finds_its_user_its_host_and_utf_8_and_no_shell(docker_sandbox):
    code = (
        "import locale, pwd, shutil, socket, subprocess\n"
        "print(pwd.getpwuid(65534).pw_name, socket.gethostbyname('localhost'), locale.setlocale(locale.LC_CTYPE, ''))\n"
        "print(shutil.which('sh'), shutil.which('python'))\n"
        "subprocess.run('true', shell=True)"
    )
    result = run_python(docker_sandbox, "-c", code)
    assert result.stdout.split() == ["nobody", "127.0.0.1", "C.UTF-8", "None", "/opt/venv/bin/python"]
    assert "No such file or directory: '/bin/sh'" in result.stderr


@pytest.mark.docker
def test_an_unusable_base_is_named(docker_sandbox):
    with pytest.raises(SandboxError, match=r"no-such\.invalid/base") as unusable:
        build_image("no-such.invalid/base:1", lambda line: None)
    assert "--base IMAGE" in unusable.value.next_step


def test_without_an_engine_there_is_no_build(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    with pytest.raises(SandboxError, match="No Docker engine answers"):
        build_image(DEFAULT_BASE, lambda line: None)
    with pytest.raises(SandboxError):
        choose_sandbox("docker")
