"""The unmodified client library against our server, over real sockets."""

import hashlib
import re
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from hub.library import silence_hub_library
from hub.responses import parse_range
from hub.server import HubServer, ServedRequest


@pytest.fixture
def api(server: HubServer) -> HfApi:
    silence_hub_library()
    return HfApi(endpoint=server.url, token=False)


def _ids(models) -> list[str]:
    return [model.id for model in models]


def test_lists_searches_and_filters(api: HfApi) -> None:
    everything = ["ann/tweet-sentiment", "b/base", "bob/film-sentiment", "bob/old-sentiment"]
    assert _ids(api.list_models()) == everything
    assert _ids(api.list_models(search="Tweet")) == ["ann/tweet-sentiment"]
    assert _ids(api.list_models(search="film bob")) == ["bob/film-sentiment"]
    assert _ids(api.list_models(pipeline_tag="fill-mask")) == ["b/base"]
    assert _ids(api.list_models(filter=["license:mit", "en"])) == ["ann/tweet-sentiment"]
    assert _ids(api.list_models(filter="base_model:b/base")) == ["ann/tweet-sentiment"]
    assert _ids(api.list_models(trained_dataset="tweets")) == ["ann/tweet-sentiment"]
    assert _ids(api.list_models(author="bob", sort="downloads", limit=1)) == ["bob/film-sentiment"]
    assert _ids(api.list_models(gated=False)) == everything
    assert _ids(api.list_models(gated=True)) == []


def test_lists_the_fields_that_are_asked_for(api: HfApi) -> None:
    short = next(iter(api.list_models(search="tweet")))
    assert short.card_data is None
    assert short.siblings is None
    full = next(iter(api.list_models(search="tweet", full=True, cardData=True, fetch_config=True)))
    assert full.card_data is not None
    assert full.card_data.license == "mit"
    assert full.config == {"architectures": ["RobertaForSequenceClassification"], "model_type": "roberta"}
    assert {sibling.rfilename for sibling in full.siblings or []} >= {"model.safetensors", "config.json"}
    expanded = next(iter(api.list_models(search="tweet", expand=["sha", "safetensors"])))
    assert expanded.sha == full.sha
    assert expanded.tags is None
    assert expanded.safetensors is not None
    assert expanded.safetensors.parameters == {"F16": 22}


def test_refuses_a_parameter_that_it_does_not_know(server: HubServer) -> None:
    answer = httpx2.get(f"{server.url}/api/models", params={"inference_provider": "all"})
    assert answer.status_code == 400
    assert "inference_provider" in answer.json()["error"]


def test_describes_a_model_with_its_files(api: HfApi, tmp_path: Path) -> None:
    info = api.model_info("ann/tweet-sentiment", files_metadata=True)
    weights = (tmp_path / "hub/ann/tweet-sentiment/model.safetensors").read_bytes()
    config = (tmp_path / "hub/ann/tweet-sentiment/config.json").read_bytes()
    files = {sibling.rfilename: sibling for sibling in info.siblings or []}
    assert re.fullmatch("[0-9a-f]{40}", info.sha or "")
    assert files["model.safetensors"].lfs is not None
    assert files["model.safetensors"].lfs.sha256 == hashlib.sha256(weights).hexdigest()
    assert files["model.safetensors"].size == len(weights)
    git_blob = hashlib.sha1(b"blob %d\0" % len(config) + config, usedforsecurity=False).hexdigest()
    assert files["config.json"].blob_id == git_blob
    assert api.model_info("ann/tweet-sentiment", revision=info.sha).sha == info.sha


def test_the_commit_follows_the_content(api: HfApi, tmp_path: Path) -> None:
    before = api.model_info("bob/film-sentiment").sha
    assert api.model_info("bob/film-sentiment").sha == before
    (tmp_path / "hub/bob/film-sentiment/config.json").write_text('{"model_type": "distilbert"}')
    after = api.model_info("bob/film-sentiment").sha
    assert after != before
    with pytest.raises(RevisionNotFoundError):
        api.model_info("bob/film-sentiment", revision=before)


def test_reads_safetensors_metadata_by_range(api: HfApi, served_requests: list[ServedRequest]) -> None:
    metadata = api.get_safetensors_metadata("ann/tweet-sentiment")
    assert metadata.parameter_count == {"F16": 22}
    assert 206 in [request.status for request in served_requests]


def test_snapshot_is_the_folder(api: HfApi, tmp_path: Path) -> None:
    extra = tmp_path / "hub/ann/tweet-sentiment/onnx"
    extra.mkdir()
    (extra / "notes.txt").write_text("inner file")
    snapshot = Path(api.snapshot_download("ann/tweet-sentiment", cache_dir=tmp_path / "cache"))
    source = tmp_path / "hub/ann/tweet-sentiment"
    names = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    assert {path.relative_to(snapshot) for path in snapshot.rglob("*") if path.is_file()} == names
    assert all((snapshot / name).read_bytes() == (source / name).read_bytes() for name in names)


def test_lists_the_tree(api: HfApi, tmp_path: Path) -> None:
    inner = tmp_path / "hub/b/base/onnx/deep"
    inner.mkdir(parents=True)
    (inner / "model.txt").write_text("x")
    top = [entry.path for entry in api.list_repo_tree("b/base")]
    assert top == ["README.md", "config.json", "model.safetensors", "onnx", "tokenizer.json"]
    deep = [entry.path for entry in api.list_repo_tree("b/base", path_in_repo="onnx", recursive=True)]
    assert deep == ["onnx/deep", "onnx/deep/model.txt"]


def test_file_headers_and_ranges(server: HubServer, tmp_path: Path) -> None:
    content = (tmp_path / "hub/ann/tweet-sentiment/model.safetensors").read_bytes()
    url = f"{server.url}/ann/tweet-sentiment/resolve/main/model.safetensors"
    head = httpx2.head(url)
    assert head.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert head.headers["Content-Length"] == str(len(content))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch("[0-9a-f]{40}", head.headers["X-Repo-Commit"])
    part = httpx2.get(url, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, content[3:10])
    assert part.headers["Content-Range"] == f"bytes 3-9/{len(content)}"
    assert httpx2.get(url, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert httpx2.get(url).content == content


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=8-100", (8, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=10-", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
    ],
)
def test_parses_ranges(header: str, span: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == span


def test_missing_things_have_the_hubs_errors(api: HfApi, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("ann/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("ann/tweet-sentiment", revision="0" * 40)
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("ann/tweet-sentiment", "vocab.txt", cache_dir=tmp_path / "cache")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("ann/nothing", "config.json", cache_dir=tmp_path / "cache")
    assert not api.file_exists("ann/tweet-sentiment", "vocab.txt")


@pytest.mark.parametrize(
    "path",
    [
        "ann/tweet-sentiment/resolve/main/../../../secret.txt",
        "ann/tweet-sentiment/resolve/main/..%2f..%2f..%2fsecret.txt",
        "ann/tweet-sentiment/resolve/main/%2e%2e/film-sentiment/config.json",
        "ann/tweet-sentiment/resolve/main//etc/passwd",
        "ann/tweet-sentiment/resolve/main/link.txt",
        "ann/tweet-sentiment/resolve/main/linked/secret.txt",
        "ann/linked-repository/resolve/main/secret.txt",
        "../hub/ann/resolve/main/secret.txt",
    ],
)
def test_serves_nothing_outside_the_folder(server: HubServer, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    repository = tmp_path / "hub/ann/tweet-sentiment"
    (repository / "link.txt").symlink_to(outside / "secret.txt")
    (repository / "linked").symlink_to(outside)
    (tmp_path / "hub/ann/linked-repository").symlink_to(outside)
    host, port = server.url.removeprefix("http://").split(":")
    with httpx2.Client(base_url=f"http://{host}:{port}") as client:
        request = client.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=f"/{path}".encode())
        answer = client.send(request)
    assert answer.status_code in (401, 404)
    assert "secret" not in answer.text.replace("secret.txt", "")


def test_a_link_inside_the_folder_is_served(server: HubServer, tmp_path: Path) -> None:
    repository = tmp_path / "hub/ann/tweet-sentiment"
    (repository / "copy.json").symlink_to(repository / "config.json")
    answer = httpx2.get(f"{server.url}/ann/tweet-sentiment/resolve/main/copy.json")
    assert answer.json()["model_type"] == "roberta"


def test_a_broken_card_and_configuration_do_not_break_the_hub(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    broken = tmp_path / "hub/eve/broken"
    broken.mkdir(parents=True)
    (broken / "README.md").write_text("---\n: [\n---\n")
    (broken / "config.json").write_text("[1, 2")
    (broken / "model.safetensors").write_bytes(b"\x01\x02")
    info = api.model_info("eve/broken", files_metadata=True)
    assert info.card_data is None or info.card_data.to_dict() == {}
    assert "eve/broken" in _ids(api.list_models())
