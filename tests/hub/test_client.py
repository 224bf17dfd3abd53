"""The client that the program uses, against a real Hub server."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from hub.client import HubClient
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer, ServedRequest
from records.candidate import Candidate, Relation
from records.errors import HubUnreachableError, InfrastructureError, ModelError

CLASSIFIER = {"pipeline_tag": "text-classification"}
DAY = "2026-01-01T00:00:00Z"


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> HubClient:
    return HubClient(server.url, tmp_path / "cache")


def read_first(client: HubClient, query: str) -> Candidate:
    """Return the first model that a search finds, read."""
    found = client.read(client.search(query, 1)[0])
    assert found is not None
    return found


def names(found: tuple[Candidate, ...]) -> list[str]:
    return [one.repo_id for one in found]


def test_a_listed_model_is_read_in_full_at_its_commit(client: HubClient, tmp_path: Path) -> None:
    [listed] = client.search("tweet", 5)
    assert not listed.read
    assert (listed.files, listed.id2label, listed.card) == ((), {}, "")
    weights = (tmp_path / "hub/ann/tweet-sentiment/model.safetensors").read_bytes()
    found = client.read(listed)
    assert found is not None
    for one in (listed, found):
        assert one.repo_id == "ann/tweet-sentiment"
        assert len(one.revision) == 40
        assert one.pipeline_tag == "text-classification"
        assert (one.architecture, one.model_type) == ("RobertaForSequenceClassification", "roberta")
        assert one.parameters == 22
        assert (one.licence, one.languages, one.datasets, one.base_model) == ("mit", ("en",), ("tweets",), "b/base")
        assert one.created.startswith("20")
        assert one.modified.startswith("20")
        assert "sentiment" in one.tags
    assert found.read
    assert found.revision == listed.revision
    assert found.id2label == {0: "negative", 1: "neutral", 2: "positive"}
    assert found.max_length == 64
    assert "# ann/tweet-sentiment" in found.card
    by_name = {file.path: file for file in found.files}
    assert by_name["model.safetensors"].sha256 == hashlib.sha256(weights).hexdigest()
    assert by_name["model.safetensors"].size == len(weights)
    assert by_name["config.json"].sha256 is None
    assert len(by_name["config.json"].blob_id or "") == 40


def test_search_finds_only_classifiers_of_a_language(client: HubClient) -> None:
    assert names(client.search("sentiment", 10)) == [
        "ann/tweet-sentiment", "bob/film-sentiment", "bob/old-sentiment"
    ]  # fmt: skip
    assert len(client.search("sentiment", 2)) == 2
    assert names(client.search("sentiment", 10, tag="de")) == ["bob/film-sentiment"]
    assert client.search("base", 10) == ()
    assert client.search("no model has this", 10) == ()


def test_every_request_is_counted(client: HubClient, served_requests: list[ServedRequest]) -> None:
    assert client.requests == 0
    [found] = client.search("tweet", 1)
    assert client.requests == len(served_requests) == 1
    client.read(found)
    assert client.requests == len(served_requests) == 4
    for along in get_args(Relation):
        client.expand(found, along, 5)
        assert client.requests == len(served_requests)
    assert client.read(found.model_copy(update={"repo_id": "ann/gone"})) is None
    assert client.requests == len(served_requests)


def test_what_was_read_is_not_fetched_again(client: HubClient, served_requests: list[ServedRequest]) -> None:
    first = read_first(client, "tweet")
    served_requests.clear()
    assert client.read(first) == first
    assert len(served_requests) == 1


def test_links_lead_to_other_classifiers(
    client: HubClient, make_repository: Callable[..., Path], served_requests: list[ServedRequest]
) -> None:
    child = {"pipeline_tag": "text-classification", "base_model": "ann/tweet-sentiment", "tags": ["sentiment"]}
    make_repository("cat/child", card=child, config={})
    make_repository("dan/cousin", card=child | {"base_model": "b/base", "datasets": ["tweets"]}, config={})
    make_repository("ann/other", card=CLASSIFIER, config={})
    make_repository("eve/masked", card=child | {"pipeline_tag": "fill-mask"}, config={})
    [parent] = client.search("tweet", 1)
    [one] = client.search("child", 1)

    def follow(model: Candidate, along: Relation, requests: int) -> list[str]:
        served_requests.clear()
        found = client.expand(model, along, 5)
        assert len(served_requests) == requests
        assert not any(other.read for other in found)
        return names(found)

    assert follow(parent, "finetunes", 1) == ["cat/child"]
    assert follow(parent, "base_model", 2) == ["dan/cousin"]
    assert follow(parent, "datasets", 1) == ["dan/cousin"]
    assert follow(parent, "author", 1) == ["ann/other"]
    assert follow(parent, "tags", 1) == ["cat/child", "dan/cousin"]
    assert follow(one, "base_model", 2) == ["ann/tweet-sentiment"]
    assert follow(one, "datasets", 0) == []
    [unlinked] = client.search("other", 1)
    assert follow(unlinked, "base_model", 0) == []
    assert follow(unlinked, "tags", 0) == []


def test_a_collection_leads_to_its_classifiers(tmp_path: Path) -> None:
    ids = ("a/one", "a/two", "b/three")
    models = [{"id": name, "pipeline_tag": "text-classification", "config": {}} for name in ids]
    models.append({"id": "b/masked", "pipeline_tag": "fill-mask"})
    liked = {"slug": "u/liked-1", "title": "Liked", "updated": DAY, "upvotes": 9, "items": ["b/three", "a/one"]}
    other = {"slug": "u/other-2", "title": "Other", "updated": DAY, "upvotes": 1, "items": ["a/one", "a/two"]}
    catalogue = tmp_path / "catalogue.jsonl"
    catalogue.write_text("".join(json.dumps(line) + "\n" for line in (*models, other, liked | {"items": [
        "b/masked", *liked["items"]]})))  # fmt: skip
    with HubServer(catalogue) as server:
        client = HubClient(server.url, tmp_path / "cache")
        [first] = client.search("one", 1)
        [found] = client.expand(first, "collection", 5)
        assert client.requests == 3
        assert (found.repo_id, found.revision) == ("b/three", "")
        read = client.read(found)
        assert read is not None
        assert len(read.revision) == 40
        [loner] = client.search("two", 1)
        assert names(client.expand(loner, "collection", 5)) == ["a/one"]


def test_closed_models_come_back_as_such_and_are_not_read(tmp_path: Path) -> None:
    shut = [{"id": f"a/{how}", "pipeline_tag": "text-classification", how: True} for how in ("private", "disabled")]
    shut.append({"id": "a/gated", "pipeline_tag": "text-classification", "gated": "auto"})
    catalogue = tmp_path / "catalogue.jsonl"
    catalogue.write_text("".join(json.dumps(line) + "\n" for line in shut))
    with HubServer(catalogue) as server:
        client = HubClient(server.url, tmp_path / "cache")
        found = client.search("a", 9)
        assert {one.repo_id: one.closed for one in found} == {"a/gated": "gated", "a/disabled": "disabled"}
        assert [client.read(one) for one in found] == [None, None]
        assert client.read(Candidate(repo_id="a/private", revision="")) is None


@pytest.mark.parametrize("answer", [b"{", b"[" * 100_000, b'{"a": 1}', b'"text"'])
def test_an_answer_of_another_shape_is_no_hub_s(tmp_path: Path, answer: bytes) -> None:
    def intercept(request: HubRequest, response: HubResponse) -> HubResponse:
        return replace(response, length=len(answer), body=[answer])

    with (
        HubServer(tmp_path, intercept=intercept) as server,
        pytest.raises(HubUnreachableError, match="did not answer as a Hub does"),
    ):
        HubClient(server.url, tmp_path / "cache").search("a", 1)


def test_models_with_malformed_facts_are_described_or_left_out(tmp_path: Path) -> None:
    odd = {"sha": "../../x", "tags": "x", "cardData": "none", "config": [], "safetensors": {"total": "9"}}
    items = [3, {}, {"id": ".."}, {"id": "../../etc"}, {"id": "a/odd", "downloads": "many", "gated": [], **odd}]
    answer = json.dumps(items).encode()

    def intercept(request: HubRequest, response: HubResponse) -> HubResponse:
        return replace(response, length=len(answer), body=[answer])

    with HubServer(tmp_path, intercept=intercept) as server:
        [found] = HubClient(server.url, tmp_path / "cache").search("a", 9)
    assert (found.repo_id, found.revision, found.tags, found.parameters) == ("a/odd", "", ("x",), None)
    assert found.closed is None


def test_a_configuration_without_labels_has_the_two_default_ones(client: HubClient) -> None:
    found = read_first(client, "film")
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
    found = read_first(client, "film")
    assert (found.architecture, found.model_type, found.max_length) == ("", "", None)
    assert found.id2label in ({}, {0: "LABEL_0", 1: "LABEL_1"})


def test_download_takes_safetensors_settings_and_tokenizer_only(client: HubClient, tmp_path: Path) -> None:
    folder = tmp_path / "hub/ann/tweet-sentiment"
    (folder / "modeling_custom.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx/model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    candidate = read_first(client, "tweet")
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
    candidate = read_first(client, "tweet")
    first = client.download(candidate)
    answered = len(served_requests)
    assert client.download(candidate) == first
    assert len(served_requests) == answered


def test_a_download_stays_at_its_commit(client: HubClient, tmp_path: Path) -> None:
    candidate = read_first(client, "tweet")
    (tmp_path / "hub/ann/tweet-sentiment/config.json").write_text("{}")
    with pytest.raises(ModelError, match=f"at commit {candidate.revision} is not on the Hub"):
        client.download(candidate)


def test_weights_that_are_not_the_announced_ones_are_refused(client: HubClient) -> None:
    candidate = read_first(client, "tweet")
    folder = Path(client.download(candidate).folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(InfrastructureError, match=r"The cached file .*/blobs/") as caught:
        client.download(candidate)
    assert hashlib.sha256(b"other weights").hexdigest() in str(caught.value)
    assert (folder / "model.safetensors").read_bytes() == b"other weights", (
        "nothing is deleted unless a right one is had"
    )


def test_a_spoiled_model_gives_way_to_a_right_one(client: HubClient) -> None:
    candidate = read_first(client, "tweet")
    model = client.download(candidate)
    weights = Path(model.folder) / "model.safetensors"
    right = weights.read_bytes()
    weights.unlink()  # its second name, in the Hub's cache, keeps the content
    weights.write_bytes(b"other weights")
    assert client.download(candidate) == model
    assert weights.read_bytes() == right


def announce_another_hash(candidate: Candidate) -> Candidate:
    files = tuple(
        file.model_copy(update={"sha256": "0" * 64}) if file.path == "model.safetensors" else file
        for file in candidate.files
    )
    return candidate.model_copy(update={"files": files, "source": "lock"})


@pytest.mark.parametrize("emptied", [(), ("models",), ("hub",), ("models", "hub")])
def test_a_lock_of_another_hash_is_blamed_itself_and_nothing_is_deleted(
    client: HubClient, tmp_path: Path, emptied: tuple[str, ...], served_requests: list[ServedRequest]
) -> None:
    candidate = read_first(client, "tweet")
    folder = Path(client.download(candidate).folder)
    [own] = (tmp_path / "cache/hubs").iterdir()
    for name in emptied:
        shutil.rmtree(own / name)
    kept = {path: path.read_bytes() for path in own.rglob("*") if path.is_file() and path.suffix != ".lock"}
    asked = len(served_requests)
    with pytest.raises(ModelError) as caught:
        client.download(announce_another_hash(candidate))
    for said in ("the lock that pins this model announces", "0" * 64, "model.safetensors of ann/tweet-sentiment"):
        assert said in caught.value.what
    assert "the Hub" not in caught.value.what or emptied == ("models", "hub")
    fetched = [one.target for one in served_requests[asked:] if one.target.endswith("/model.safetensors")]
    assert (len(served_requests) == asked) is (emptied != ("models", "hub")), "what is here already tells enough"
    assert len(fetched) == (emptied == ("models", "hub")), "once is enough"
    assert kept.items() <= {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}.items()
    assert client.download(candidate).folder == str(folder)


def test_a_model_without_safetensors_is_listed_but_not_downloaded(client: HubClient) -> None:
    candidate = read_first(client, "old")
    assert "pytorch_model.bin" in [file.path for file in candidate.files]
    with pytest.raises(ModelError, match="safetensors"):
        client.download(candidate)


def test_an_unreachable_hub_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError) as caught:
        HubClient("http://127.0.0.1:9", tmp_path).search("sentiment", 5)
    assert "http://127.0.0.1:9" in caught.value.what
    assert "refused" in caught.value.what
    for way_out in ("HF_HUB_OFFLINE=1", "--lock", "--hub starter"):
        assert way_out in caught.value.next_step


def test_a_server_that_is_no_hub_is_named_too(server: HubServer, tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError, match="did not answer as a Hub does: status 404"):
        HubClient(f"{server.url}/elsewhere", tmp_path).search("sentiment", 5)


@pytest.mark.parametrize("address", ["not-a-url", "ftp://127.0.0.1", "http://[::"])
def test_an_address_that_is_none_is_named(tmp_path: Path, address: str) -> None:
    with pytest.raises(HubUnreachableError, match="did not answer"):
        HubClient(address, tmp_path).search("sentiment", 5)


def test_the_endpoint_comes_from_the_environment(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    client = HubClient(cache=tmp_path)
    assert client.endpoint == server.url
    assert len(client.search("sentiment", 10)) == 3


def test_no_token_and_no_report_leaves_for_another_hub(
    client: HubClient, served_requests: list[ServedRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    candidate = read_first(client, "tweet")
    client.download(candidate)
    assert served_requests
    for request in served_requests:
        assert not request.authorised
        assert "torch/" not in request.user_agent
        assert request.target.startswith(("/api/models", "/ann/tweet-sentiment/resolve/"))


def test_a_hub_s_huge_card_is_not_read(client: HubClient, make_repository: Callable[..., Path]) -> None:
    folder = make_repository("eve/huge", card={"pipeline_tag": "text-classification"}, config={"model_type": "bert"})
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "padding": "x" * 2_000_000}))
    found = read_first(client, "huge")
    assert found.model_type == ""


def test_a_disk_that_takes_nothing_ends_the_reading(server: HubServer, mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("ro")
    client = HubClient(server.url, disk)
    [listed] = client.search("tweet", 1)
    with pytest.raises(InfrastructureError, match="Read-only file system") as caught:
        client.read(listed)
    assert str(disk) in caught.value.what
    assert "AUTOANNOTATOR_CACHE" in caught.value.next_step


def test_a_full_disk_ends_the_reading(server: HubServer, mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("size=64k")
    client = HubClient(server.url, disk)
    [listed] = client.search("tweet", 1)
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free))
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        client.read(listed)
    assert str(disk) in caught.value.what


def test_a_corrupt_file_in_the_cache_drops_only_its_model(client: HubClient, tmp_path: Path) -> None:
    listed, other = client.search("sentiment", 2)
    assert client.read(listed) is not None
    [config] = (tmp_path / "cache/hubs").rglob("snapshots/*/config.json")
    config.resolve().write_text("{}")
    assert client.read(listed) is None
    assert client.read(other) is not None
