"""With HF_HUB_OFFLINE no request is made, and what the cache holds is found and used."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.client import HubClient
from hub.server import HubServer, ServedRequest
from hub.weights import find_refusal
from records.candidate import Candidate
from records.errors import HubUnreachableError, ModelError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cached(server: HubServer, tmp_path: Path) -> Candidate:
    """A model that was read and downloaded from the configured hub, as online facts."""
    client = HubClient(server.url, tmp_path / "cache")
    found = client.read(client.search("tweet", 1)[0])
    assert found is not None
    client.download(found)
    return found


@pytest.fixture(autouse=True)
def environment(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", server.url)


@pytest.fixture
def client(
    cached: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served_requests: list[ServedRequest]
) -> HubClient:
    """A client of the same hub, offline, with only the ordinary cache left."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    served_requests.clear()
    return HubClient(cache=tmp_path / "another cache")


def test_a_cached_model_is_found_with_what_its_files_say(client: HubClient, cached: Candidate) -> None:
    [found] = client.search("anything about tweets", 5)
    assert found.read
    assert (found.source, cached.source) == ("cache", "hub")
    not_known = {"created": "", "modified": "", "tags": (), "files": (), "source": "hub"}
    assert found.model_copy(update=not_known) == cached.model_copy(update=not_known)
    assert {"sentiment", "en", "dataset:tweets", "license:mit", "base_model:b/base"} <= set(found.tags)
    assert set(found.files) == set(cached.files)
    assert client.read(found) == found


def test_search_puts_the_best_match_first_and_keeps_to_the_language(
    client: HubClient, server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    online = HubClient(server.url, tmp_path / "cache")
    assert online.read(online.search("film", 1)[0]) is not None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [one.repo_id for one in client.search("film", 5)] == ["bob/film-sentiment", "ann/tweet-sentiment"]
    assert [one.repo_id for one in client.search("tweet film", 1)] == ["ann/tweet-sentiment"]
    assert [one.repo_id for one in client.search("sentiment", 5, tag="de")] == ["bob/film-sentiment"]


def test_everything_works_without_a_request(
    client: HubClient, cached: Candidate, served_requests: list[ServedRequest]
) -> None:
    [found] = client.search("tweet", 5)
    assert client.expand(found, "author", 5) == ()
    assert client.plan_download([found]).missing == 0
    for candidate in (found, cached):
        model = client.download(candidate)
        assert {path.name for path in Path(model.folder).iterdir()} == set(model.sha256)
    assert served_requests == []
    assert client.requests == 0


@pytest.fixture
def moved(client: HubClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubClient:
    """An offline client with the models' folders, and an HF_HOME in which nothing is."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "new home"))
    return HubClient(cache=tmp_path / "cache")


def test_a_model_that_is_whole_needs_no_hub_cache(moved: HubClient, cached: Candidate) -> None:
    assert moved.plan_download([cached]).missing == 0
    [found] = moved.search("tweet", 5)
    assert (found.repo_id, found.revision, found.id2label) == (cached.repo_id, cached.revision, cached.id2label)
    assert found.source == "cache"
    assert moved.read(found) == found
    assert moved.plan_download([found]).missing == 0
    assert moved.download(found) == moved.download(cached)


def test_a_model_of_another_size_is_planned_again(moved: HubClient, cached: Candidate, tmp_path: Path) -> None:
    [weights] = (tmp_path / "cache/models").rglob("model.safetensors")
    weights.write_bytes(b"spoiled")
    plan = moved.plan_download([cached])
    assert plan.missing == plan.size


def test_the_hubs_card_and_the_models_weights_are_put_together(
    client: HubClient, cached: Candidate, tmp_path: Path
) -> None:
    for snapshot in (tmp_path / "home/hub").rglob("snapshots/*/model.safetensors"):
        snapshot.unlink()
    [bare] = client.search("tweet", 5)
    assert (find_refusal(bare) or "").startswith("weights not in the cache")
    with pytest.raises(ModelError, match="weights not in the cache"):
        client.download(bare)
    [found] = HubClient(cache=tmp_path / "cache").search("tweet", 5)
    assert find_refusal(found) is None
    assert found.card == cached.card
    assert {(file.path, file.size) for file in found.files} == {(file.path, file.size) for file in cached.files}


def test_a_cache_without_links_is_read_by_content(client: HubClient, cached: Candidate, tmp_path: Path) -> None:
    """As `huggingface_hub` leaves it on a file system that knows no symbolic links."""
    [snapshot] = (tmp_path / "home/hub").glob("models--ann--*/snapshots/*")
    for link in snapshot.iterdir():
        content = link.read_bytes()
        link.unlink()
        link.write_bytes(content)
    shutil.rmtree(snapshot.parents[1] / "blobs")
    [found] = client.search("tweet", 5)
    hashes = {file.path: file.sha256 for file in found.files}
    assert hashes == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in snapshot.iterdir()}
    assert set(client.download(found).sha256) == set(client.download(cached).sha256)


def test_a_missing_file_is_named_with_what_to_do(
    client: HubClient, cached: Candidate, tmp_path: Path, served_requests: list[ServedRequest]
) -> None:
    [blob] = (tmp_path / "home/hub").rglob(f"blobs/{next(file.sha256 for file in cached.files if file.sha256)}")
    blob.unlink()
    for snapshot in (tmp_path / "home/hub").rglob("snapshots/*/model.safetensors"):
        snapshot.unlink()
    with pytest.raises(HubUnreachableError) as caught:
        client.download(cached)
    for said in ("HF_HUB_OFFLINE", "model.safetensors", cached.repo_id, cached.revision, str(tmp_path / "home/hub")):
        assert said in caught.value.what
    assert "without HF_HUB_OFFLINE" in caught.value.next_step
    assert served_requests == []


def test_an_empty_cache_holds_no_model(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    client = HubClient(cache=tmp_path / "cache")
    with pytest.raises(HubUnreachableError, match="no text classifier is in the cache") as caught:
        client.search("tweet", 5)
    assert str(tmp_path / "home/hub") in caught.value.what
    assert "without HF_HUB_OFFLINE" in caught.value.next_step
    assert client.read(Candidate(repo_id="ann/tweet-sentiment", revision="0" * 40)) is None


def test_what_other_programs_left_is_passed_over(client: HubClient, cached: Candidate, tmp_path: Path) -> None:
    root = tmp_path / "home/hub"
    for name, config in (
        ("models--x--broken", "{"),
        ("models--x--masked", '{"architectures": ["BertForMaskedLM"]}'),
        ("models--..--up", '{"architectures": ["BertForSequenceClassification"]}'),
        ("models--x--odd", '{"architectures": 7, "id2label": 3}'),
    ):
        folder = root / name / "snapshots" / ("0" * 40)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(config)
        (folder / "README.md").write_text("---\n: [\n---\n")
    for place, value in enumerate(('!!int ""', '!!float ""', "!!timestamp foo", "!!bool x")):
        folder = root / "models--x--masked" / "snapshots" / (f"{place}" * 40)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text('{"architectures": ["BertForMaskedLM"]}')
        (folder / "README.md").write_text(f"---\nlanguage: {value}\n---\n")
    (root / "models--x--named/snapshots/main").mkdir(parents=True)
    assert [one.repo_id for one in client.search("x", 9)] == [cached.repo_id]


def test_an_embedded_hub_answers_offline(server: HubServer, tmp_path: Path) -> None:
    """In a process of its own: the library reads HF_HUB_OFFLINE when it is imported."""
    program = (
        "import sys; from pathlib import Path; from hub.client import HubClient\n"
        "client = HubClient(sys.argv[1], Path('cache'), embedded=sys.argv[2] or None)\n"
        "print(len(client.search('sentiment', 9)))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    embedded, other = (
        subprocess.run(
            [sys.executable, "-c", program, server.url, name],
            env=environment, cwd=tmp_path, check=False, capture_output=True, text=True,
        )
        for name in ("starter", "")
    )  # fmt: skip
    assert (embedded.returncode, embedded.stdout.strip()) == (0, "3"), embedded.stderr
    assert other.returncode == 1
    assert "HubUnreachableError: HF_HUB_OFFLINE is set" in other.stderr


def test_a_model_goes_on_at_its_newest_commit(
    cached: Candidate, server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_repository: Callable
) -> None:
    (tmp_path / "hub/ann/tweet-sentiment/tokenizer.json").write_text('{"version": "2"}')
    online = HubClient(server.url, tmp_path / "cache")
    newer = online.read(online.search("tweet", 1)[0])
    assert newer is not None
    assert newer.revision != cached.revision
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [one.revision for one in online.search("tweet", 5)] == [cached.revision], "the newer one has no weights here"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    online.download(newer)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [one.revision for one in online.search("tweet", 5)] == [newer.revision]
