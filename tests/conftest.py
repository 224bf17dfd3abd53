"""What whole-run tests share: tiny models on a loopback Hub, and the command line as a person starts it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.server import HubServer
from tests.tiny_hub import build_tiny_hub

ROOT = Path(__file__).parent.parent
SENTENCE = "Label each review sentence as positive or negative"

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tiny_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Hub with three tiny sentiment classifiers."""
    with HubServer(build_tiny_hub(tmp_path_factory.mktemp("tiny-hub"))) as server:
        yield server.url


@pytest.fixture(scope="session")
def one_model_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Hub with one tiny sentiment classifier, for runs in which models matter little."""
    with HubServer(build_tiny_hub(tmp_path_factory.mktemp("one-model-hub"), ("review-sentiment",))) as server:
        yield server.url


@pytest.fixture(scope="session")
def run_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a run in a test: a cache of its own, and no setting of the person who tests."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "HF_", "AUTOANNOTATOR"))
    }
    cache = tmp_path_factory.mktemp("cache")
    return {**kept, "AUTOANNOTATOR_CACHE": str(cache), "HF_HOME": str(cache / "hf"), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def cli(run_environment: dict[str, str]) -> Cli:
    """Run `autoannotator` to its end: cli("run", …, cwd=…, NAME="environment variable")."""

    def call(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "autoannotator", *map(str, arguments)],
            cwd=cwd or ROOT,
            env={**run_environment, **environment},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=500,
            check=False,
        )

    return call
