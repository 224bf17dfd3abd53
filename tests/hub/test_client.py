"""The client that the program uses, against a real Hub server."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.client import HubClient
from hub.server import HubServer, ServedRequest
from records.errors import HubUnreachableError, InfrastructureError, ModelError


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> HubClient:
    return HubClient(server.url, tmp_path / "cache")


def test_search_reads_every_fact_at_a_commit(client: HubClient, tmp_path: Path) -> None:
    [found] = client.search(["tweet sentiment"], 5)
    weights = (tmp_path / "hub/ann/tweet-sentiment/model.safetensors").read_bytes()
    assert found.repo_id == "ann/tweet-sentiment"
    assert len(found.revision) == 40
    assert found.pipeline_tag == "text-classification"
    assert (found.architecture, found.model_type) == ("RobertaForSequenceClassification", "roberta")
    assert found.id2label == {0: "negative", 1: "neutral", 2: "positive"}
    assert found.max_length == 64
    assert found.parameters == 22
    assert (found.licence, found.languages, found.datasets, found.base_model) == ("mit", ("en",), ("tweets",), "b/base")
    assert "sentiment" in found.tags
    assert "# ann/tweet-sentiment" in found.card
    [file] = [file for file in found.files if file.path == "model.safetensors"]
    assert (file.size, file.sha256) == (len(weights), hashlib.sha256(weights).hexdigest())


def test_search_takes_the_queries_in_turn_and_only_classifiers(client: HubClient) -> None:
    found = client.search(["sentiment", "film", "base"], 10)
    assert [model.repo_id for model in found] == ["ann/tweet-sentiment", "bob/film-sentiment", "bob/old-sentiment"]
    assert [model.repo_id for model in client.search(["tweet", "film", "old"], 2)] == [
        "ann/tweet-sentiment",
        "bob/film-sentiment",
    ]
    assert client.search(["no model has this"], 10) == []


def test_a_configuration_without_labels_has_the_two_default_ones(client: HubClient) -> None:
    [found] = client.search(["film"], 1)
    assert found.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert found.languages == ("de",)


@pytest.mark.parametrize(
    "config",
    [
        "[1]",
        "{",
        '{"id2label": ["a"], "architectures": 3, "model_type": {}, "max_position_embeddings": "512"}',
        '{"id2label": {"first": "a"}, "architectures": [7], "max_position_embeddings": -1}',
    ],
)
def test_a_malformed_configuration_leaves_facts_out(client: HubClient, tmp_path: Path, config: str) -> None:
    (tmp_path / "hub/bob/film-sentiment/config.json").write_text(config)
    [found] = client.search(["film"], 1)
    assert (found.architecture, found.model_type, found.max_length) == ("", "", None)
    assert found.id2label in ({}, {0: "LABEL_0", 1: "LABEL_1"})


def test_download_takes_safetensors_settings_and_tokenizer_only(client: HubClient, tmp_path: Path) -> None:
    folder = tmp_path / "hub/ann/tweet-sentiment"
    (folder / "modeling_custom.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx/model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    [candidate] = client.search(["tweet"], 1)
    model = client.download(candidate)
    assert sorted(model.sha256) == ["config.json", "model.safetensors", "tokenizer.json"]
    for name, sha256 in model.sha256.items():
        copy = Path(model.folder) / name
        assert copy.is_file()
        assert not copy.is_symlink()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        assert copy.read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in Path(model.folder).iterdir()) == sorted(model.sha256)


def test_a_second_download_makes_no_request(client: HubClient, served_requests: list[ServedRequest]) -> None:
    [candidate] = client.search(["tweet"], 1)
    first = client.download(candidate)
    answered = len(served_requests)
    assert client.download(candidate) == first
    assert len(served_requests) == answered


def test_a_download_stays_at_its_commit(client: HubClient, tmp_path: Path) -> None:
    [candidate] = client.search(["tweet"], 1)
    (tmp_path / "hub/ann/tweet-sentiment/config.json").write_text("{}")
    with pytest.raises(ModelError, match=f"at commit {candidate.revision} is not on the Hub"):
        client.download(candidate)


def test_weights_that_are_not_the_announced_ones_are_refused(client: HubClient) -> None:
    [candidate] = client.search(["tweet"], 1)
    folder = Path(client.download(candidate).folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(InfrastructureError, match="announces") as caught:
        client.download(candidate)
    assert hashlib.sha256(b"other weights").hexdigest() in str(caught.value)
    assert not folder.exists()


def test_a_model_without_safetensors_is_listed_but_not_downloaded(client: HubClient) -> None:
    [candidate] = client.search(["old"], 1)
    assert "pytorch_model.bin" in [file.path for file in candidate.files]
    with pytest.raises(ModelError, match="safetensors"):
        client.download(candidate)


def test_an_unreachable_hub_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError) as caught:
        HubClient("http://127.0.0.1:9", tmp_path).search(["sentiment"], 5)
    assert "http://127.0.0.1:9" in caught.value.what
    assert "refused" in caught.value.what
    assert "--hub starter" in caught.value.next_step


def test_a_server_that_is_no_hub_is_named_too(server: HubServer, tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError, match="did not answer as a Hub does: status 404"):
        HubClient(f"{server.url}/elsewhere", tmp_path).search(["sentiment"], 5)


@pytest.mark.parametrize("address", ["not-a-url", "ftp://127.0.0.1", "http://[::"])
def test_an_address_that_is_none_is_named(tmp_path: Path, address: str) -> None:
    with pytest.raises(HubUnreachableError, match="did not answer"):
        HubClient(address, tmp_path).search(["sentiment"], 5)


def test_the_endpoint_comes_from_the_environment(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    client = HubClient(cache=tmp_path)
    assert client.endpoint == server.url
    assert len(client.search(["sentiment"], 10)) == 3


def test_no_token_and_no_report_leaves_for_another_hub(
    client: HubClient, served_requests: list[ServedRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    [candidate] = client.search(["tweet"], 1)
    client.download(candidate)
    assert served_requests
    for request in served_requests:
        assert not request.authorised
        assert "torch/" not in request.user_agent
        assert request.target.startswith(("/api/models", "/ann/tweet-sentiment/resolve/"))


def test_a_hub_s_huge_card_is_not_read(client: HubClient, make_repository: Callable[..., Path]) -> None:
    folder = make_repository("eve/huge", card={"pipeline_tag": "text-classification"}, config={"model_type": "bert"})
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "padding": "x" * 2_000_000}))
    [found] = client.search(["huge"], 1)
    assert found.model_type == ""
