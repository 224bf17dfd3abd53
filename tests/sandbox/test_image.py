"""The image holds what generated scripts import, and nothing newer or older than this environment's."""

from importlib.metadata import version

import pytest

from records.errors import SandboxError
from sandbox.base import Limits, RunSpec
from sandbox.choose import choose_sandbox
from sandbox.image import DEFAULT_BASE, build_image, image_name

PACKAGES = ("numpy", "peft", "pyarrow", "pytest", "safetensors", "tokenizers", "torch", "transformers")


def test_the_tag_is_a_hash():
    name, _, tag = image_name().partition(":")
    assert name == "autoannotator-sandbox"
    assert len(tag) == 16
    assert image_name() == image_name()


@pytest.mark.docker
def test_scripts_find_the_versions_of_this_environment(prepared):
    if isinstance(prepared["docker"], SandboxError):
        pytest.skip(prepared["docker"].what)
    code = f"from importlib.metadata import version; print(*(version(name) for name in {PACKAGES}))"
    result = prepared["docker"].run(RunSpec(argv=("python", "-c", code), limits=Limits(seconds=60)))
    assert result.stdout.split() == [version(name) for name in PACKAGES]


@pytest.mark.docker
def test_an_unusable_base_is_named(prepared):
    if isinstance(prepared["docker"], SandboxError):
        pytest.skip(prepared["docker"].what)
    with pytest.raises(SandboxError, match=r"no-such\.invalid/base") as unusable:
        build_image("no-such.invalid/base:1", lambda line: None)
    assert "--base IMAGE" in unusable.value.next_step


def test_without_an_engine_there_is_no_build(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    with pytest.raises(SandboxError, match="No Docker engine answers"):
        build_image(DEFAULT_BASE, lambda line: None)
    with pytest.raises(SandboxError):
        choose_sandbox("docker")
