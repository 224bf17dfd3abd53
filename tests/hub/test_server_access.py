"""Who may have what: gated, private and disabled models, earlier commits, and what a catalogue has no content of."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hub.library import silence_hub_library
from hub.server import HubServer
from records.errors import DataError
from tests.hub.hubs import BASE, MODELS, TWEETS, model, write_catalogue, write_folder

MEMBER = "hf_member"


@pytest.fixture(params=["folder", "catalogue"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    silence_hub_library()
    write = {"folder": write_folder, "catalogue": write_catalogue}[request.param]
    with HubServer(write(tmp_path / "hub", MODELS), tokens=[MEMBER]) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)  # no other Hub is sent a token
        yield running


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[HfApi]:
    silence_hub_library()
    with HubServer(write_catalogue(tmp_path / "models.jsonl", MODELS)) as running:
        yield HfApi(endpoint=running.url, token=False)


def api_of(server: HubServer, token: str | bool = False) -> HfApi:
    return HfApi(endpoint=server.url, token=token)


def fetch(api: HfApi, repo_id: str, cache: Path, name: str = "config.json", revision: str | None = None) -> Path:
    return Path(api.hf_hub_download(repo_id, name, revision=revision, cache_dir=cache))


def test_a_gated_model_is_described_and_its_files_are_kept_back(server: HubServer, tmp_path: Path) -> None:
    info = api_of(server).model_info("corp/gated-film", files_metadata=True)
    assert info.gated == "manual"
    assert info.config is not None
    assert "model.safetensors" in [file.rfilename for file in info.siblings or []]
    for token, status in ((False, 401), ("hf_stranger", 403)):
        with pytest.raises(GatedRepoError) as caught:
            fetch(api_of(server, token), "corp/gated-film", tmp_path / "cache")
        assert caught.value.response.status_code == status
    assert json.loads(fetch(api_of(server, MEMBER), "corp/gated-film", tmp_path / "cache").read_text())


def test_a_private_model_looks_like_none(server: HubServer, tmp_path: Path) -> None:
    for token, status in ((False, 401), ("hf_stranger", 404)):
        api = api_of(server, token)
        for repo_id in ("corp/private-film", "corp/nothing", "nothing"):
            with pytest.raises(RepositoryNotFoundError) as caught:
                api.model_info(repo_id)
            assert caught.value.response.status_code == status
            assert not isinstance(caught.value, GatedRepoError)
        with pytest.raises(RepositoryNotFoundError):
            fetch(api, "corp/private-film", tmp_path / "cache")
        with pytest.raises(RepositoryNotFoundError):
            list(api.list_repo_tree("corp/private-film"))
    assert api_of(server, MEMBER).model_info("corp/private-film").private
    assert fetch(api_of(server, MEMBER), "corp/private-film", tmp_path / "cache").is_file()


def test_a_disabled_model_is_described_and_gives_no_file(server: HubServer, tmp_path: Path) -> None:
    assert api_of(server).model_info("corp/disabled").disabled
    for token in (False, MEMBER):
        with pytest.raises(LocalEntryNotFoundError) as caught:
            fetch(api_of(server, token), "corp/disabled", tmp_path / "cache")
        assert isinstance(caught.value.__cause__, DisabledRepoError)


def test_missing_revisions_and_files_have_the_hubs_errors(server: HubServer, tmp_path: Path) -> None:
    api = api_of(server)
    with pytest.raises(RevisionNotFoundError):
        api.model_info(TWEETS, revision="0" * 40)
    with pytest.raises(RevisionNotFoundError):
        fetch(api, TWEETS, tmp_path / "cache", revision="0" * 40)
    with pytest.raises(EntryNotFoundError):
        fetch(api, TWEETS, tmp_path / "cache", "vocab.txt")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(TWEETS, path_in_repo="onnx"))


def test_a_catalogue_gives_configuration_and_card_at_its_commit(catalogue: HfApi, tmp_path: Path) -> None:
    record = next(one for one in MODELS if one["id"] == TWEETS)
    sha = catalogue.model_info(TWEETS).sha
    snapshot = Path(
        catalogue.snapshot_download(TWEETS, revision=sha, allow_patterns=["*.json", "*.md"], cache_dir=tmp_path)
    )
    assert snapshot.name == sha
    assert {path.name for path in snapshot.iterdir()} == {"README.md", "config.json"}
    assert json.loads((snapshot / "config.json").read_text()) == record["config"]
    assert (snapshot / "README.md").read_text() == record["card"]


def test_a_catalogue_names_files_that_it_has_no_content_of(catalogue: HfApi, tmp_path: Path) -> None:
    files = {file.rfilename: file for file in catalogue.model_info(TWEETS, files_metadata=True).siblings or []}
    weights = files["model.safetensors"]
    assert weights.size == 1000
    assert weights.lfs is not None
    assert len(weights.lfs.sha256) == 64
    twin = catalogue.model_info("bob/said", files_metadata=True).siblings or []
    assert weights.lfs.sha256 not in [file.lfs.sha256 for file in twin if file.lfs]
    tree = {entry.path: entry for entry in catalogue.list_repo_tree(TWEETS)}
    assert tree["model.safetensors"].lfs.sha256 == weights.lfs.sha256
    with pytest.raises(EntryNotFoundError, match="catalogue"):
        fetch(catalogue, TWEETS, tmp_path / "cache", "model.safetensors")


def test_a_catalogue_keeps_the_hashes_that_are_known(tmp_path: Path) -> None:
    known = hashlib.sha256(b"weights").hexdigest()
    path = tmp_path / "models.jsonl"
    record = model("a/b") | {"files": [{"path": "model.safetensors", "size": 7, "sha256": known}]}
    path.write_text(json.dumps(record) + "\n\n")
    with HubServer(path) as server:
        info = api_of(server).model_info("a/b", files_metadata=True)
        [file] = info.siblings or []
        assert file.lfs is not None
        assert file.lfs.sha256 == known
        assert info.safetensors is not None
        assert info.safetensors.total == 100
        assert info.card_data is None or info.card_data.to_dict() == {}


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": "a/b", "stars": 3}', '{"id": "a/b", "downloads": -1}', '{"slug": 3}', '{"id": "../b"}']
)
def test_a_malformed_catalogue_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = write_catalogue(tmp_path / "models.jsonl", MODELS[:2])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match="line 3"):
        HubServer(path)


def test_a_file_that_is_no_text_is_refused_and_any_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "models.jsonl"
    record = {"id": "a/b", "card": "one\u2028two\x85three"}
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    with HubServer(path) as server:
        assert fetch(api_of(server), "a/b", tmp_path / "cache", "README.md").read_bytes().decode() == record["card"]
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="line 1"):
        HubServer(path)


def test_a_malformed_side_file_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hub", MODELS[:1])
    (folder / "hub.json").write_text('{"models": {"a/b": {"gated": "perhaps"}}}')
    with pytest.raises(DataError, match=r"hub\.json"):
        HubServer(folder)


def test_an_earlier_commit_is_served_after_the_model_has_changed(tmp_path: Path) -> None:
    before = write_folder(tmp_path / "hub", MODELS[:2])
    with HubServer(before) as server:
        old = api_of(server).model_info(TWEETS)
        old_config = fetch(api_of(server), TWEETS, tmp_path / "cache").read_text()
    kept = before / ".history/first/it"
    kept.parent.mkdir(parents=True)
    (before / TWEETS).rename(kept)
    (before / TWEETS).mkdir()
    (before / TWEETS / "config.json").write_text("{}")
    (before / "hub.json").write_text(json.dumps({"models": {TWEETS: {"earlier": [".history/first/it"]}}}))
    with HubServer(before) as server:
        api = api_of(server)
        assert api.model_info(TWEETS).sha != old.sha
        assert api.model_info(TWEETS, revision=old.sha).sha == old.sha
        again = fetch(api, TWEETS, tmp_path / "fresh", revision=old.sha)
        assert again.read_text() == old_config
        assert fetch(api, TWEETS, tmp_path / "fresh").read_text() == "{}"
        assert sorted(one.id for one in api.list_models()) == sorted([BASE, TWEETS])
