"""The built wheel, in an environment of its own outside the checkout, runs the demo; nothing leaves this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from hub.cache import default_cache
from hub.encoder import fetch_encoder
from tests.conftest import ROOT

SOCKET = re.compile(r"sin6?_addr=inet_(?:addr|pton)\((?:AF_INET6?, )?\"([^\"]+)\"|inet_addr\(\"([^\"]+)\"\)")
LOOPBACK = re.compile(r"127\.|::1$|0\.0\.0\.0$|::$|::ffff:127\.")


pytestmark = pytest.mark.xdist_group("wheel")  # one worker, one run


@dataclass(frozen=True)
class Demo:
    """What the demo printed and left behind, and every address that a process of it spoke to."""

    status: int
    told: dict[str, object]
    shown: str
    out: Path
    addresses: list[str]
    library: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, run_environment: dict[str, str]) -> Demo:
    if shutil.which("strace") is None:
        if os.environ.get("AUTOANNOTATOR_REQUIRE_STRACE"):
            pytest.fail("strace is missing")
        pytest.skip("strace is not installed: it shows what processes connect to")
    folder = tmp_path_factory.mktemp("wheel")
    python = _install_wheel(folder)
    encoder = fetch_encoder(default_cache(), print)
    trace = folder / "trace"
    done = subprocess.run(
        [
            "strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace,
            python.parent / "autoannotator", "demo", "--out", folder / "out", "--sandbox", "process", "--json",
        ],
        cwd=folder, env={**run_environment, "PYTHONPATH": "", "AUTOANNOTATOR_ENCODER": str(encoder)},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=580, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = [match[1] or match[2] for match in SOCKET.finditer(trace.read_text(errors="replace"))]
    library = next(python.parent.parent.glob("lib/python*/site-packages"))
    return Demo(done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr, folder / "out", found, library)


def _install_wheel(folder: Path) -> Path:
    """Build the wheel and install it alone into a new environment that finds its dependencies in this one."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True, timeout=120)
    wheel = next(folder.glob("*.whl"))
    assert wheel.stat().st_size < 12_000_000
    venv.create(folder / "env", with_pip=False)
    library = next((folder / "env").glob("lib/python*/site-packages"))
    python = folder / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True, timeout=120)
    (library / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


@pytest.mark.encoder
def test_the_demo_ends_well_and_says_what_it_came_to(demo: Demo) -> None:
    assert demo.status == 0, demo.shown
    assert demo.told["rows"] == 700
    accuracy = demo.told["accuracy"]
    assert isinstance(accuracy, dict)
    assert {"AutoAnnotator", "majority of the specialists"} < set(accuracy)
    assert len(accuracy) == 5
    assert 0.7 < accuracy["AutoAnnotator"] < 0.95
    assert demo.told["reviewer"] == "offline: no language model"
    assert demo.told["fine_tunes_promoted"] + demo.told["fine_tunes_rejected"] == 3  # pyright: ignore[reportOperatorIssue]
    assert "sandbox: process" in demo.shown


@pytest.mark.encoder
def test_the_demo_leaves_a_labelled_file_and_a_report(demo: Demo) -> None:
    labels = pd.read_parquet(demo.out / "labels.parquet")
    assert len(labels) == 700
    assert labels["label"].isin(["positive", "negative"]).all()
    assert set(labels["source"]) == {"vote", "offline"}
    assert "No language model" in (demo.out / "report.html").read_text()


@pytest.mark.encoder
def test_nothing_is_sent_beyond_loopback(demo: Demo) -> None:
    assert demo.addresses, "the trace saw the starter hub being asked"
    assert [address for address in demo.addresses if not LOOPBACK.match(address)] == []


@pytest.mark.encoder
def test_the_wheel_holds_all_that_it_needs(demo: Demo) -> None:
    for needed in (
        "agents/prompts/reviewer/system.jinja", "templates/scripts/annotate.py.jinja", "templates/report.html.jinja",
        "hub/starter/manifest.json", "bench/data/reviews.jsonl", "sandbox/images/Dockerfile",
        "sandbox/images/assemble.py", "sandbox/formats.py", "bench/echo.py",
    ):  # fmt: skip
        assert (demo.library / needed).is_file()
    assert not (demo.library / "tests").exists()
