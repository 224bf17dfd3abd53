"""What the image's build stage does to a system, done to a small one: this interpreter, and a package with tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import image

ASSEMBLE = Path(image.__file__).with_name("images") / "assemble.py"
KEPT = {
    "torch/__init__.py": "",
    "torch/bin/torch_shm_manager": "",
    "torch/testing/__init__.py": "",
    "small/tests.py": "",
    "small/bin.py": "",
}
DROPPED = {
    "torch/bin/protoc": "",
    "torch/share/cmake/torch.cmake": "",
    "torch/include/torch.h": "",
    "torch/lib/libtorch.a": "",
    "small/tests/test_small.py": "",
    "small/_speedups.c": "",
    "pip/__init__.py": "",
    "pip-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pip\nVersion: 1.0\n",
    "pip-1.0.dist-info/RECORD": "../../../bin/pip,,\npip/__init__.py,,\npip-1.0.dist-info/METADATA,,\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An assembled root; everybody may write to, and run with its owner's rights, each file that it is made of."""
    if os.geteuid() != 0:
        pytest.skip("the build stage works as root")
    folder = tmp_path_factory.mktemp("assemble")
    python = str(Path(sys.base_prefix, "bin", "python3"))
    subprocess.run([python, "-m", "venv", "--copies", "--without-pip", folder / "venv"], check=True)
    (packages,) = folder.glob("venv/lib/python*/site-packages")
    for name, text in {**KEPT, **DROPPED}.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text)
        (packages / name).chmod(0o6777)
    subprocess.run([python, ASSEMBLE, folder / "venv", folder / "root"], check=True)
    return folder / "root"


def find_packages(root):
    (packages,) = root.rglob("venv/lib/python*/site-packages")
    return packages


def test_packages_lose_their_tools_and_tests(root):
    packages = find_packages(root)
    assert [name for name in KEPT if not (packages / name).is_file()] == []
    assert [name for name in DROPPED if (packages / name).exists()] == []


def test_the_base_leaves_nothing_but_its_standard_library(root):
    names = {path.name for path in next(root.rglob("asyncio")).parent.iterdir()}
    assert {"json", "lib-dynload", "os.py", "__pycache__"} <= names
    assert names & {"ensurepip", "site-packages", "dist-packages", "test", "tkinter", "venv", "idlelib"} == set()


def test_nobody_else_can_write_and_only_programs_run(root):
    files = [path for path in root.rglob("*") if not path.is_symlink()]
    assert {path for path in files if path.stat().st_mode & 0o6022} == {root / "tmp"}
    executable = {path.name for path in files if path.is_file() and path.stat().st_mode & 0o111}
    assert {name for name in executable if not name.startswith("ld-")} == {"python", "torch_shm_manager"}


def test_it_runs_with_nothing_else_around_it(root):
    (python,) = root.rglob("venv/bin/python")
    inside = "/" + str(python.relative_to(root))
    code = "import ctypes, json, ssl, sys, torch.testing; print(sys.executable, torch.__cached__)"
    result = subprocess.run(
        ["chroot", "--userspec=65534:65534", root, inside, "-c", code], capture_output=True, text=True, check=False
    )
    cached = next(find_packages(root).glob("torch/__pycache__/__init__.*.pyc"))
    assert result.stdout.split() == [inside, "/" + str(cached.relative_to(root))], result.stderr
