"""Downloads from a real server that is broken, slow, busy, wrong, or gone; and from a process that was killed."""

import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import hf_hub_download, scan_cache_dir
from safetensors.numpy import save_file

from hub.cache import choose_folders
from hub.client import HubClient
from hub.connection import read_wait
from hub.model_folders import ModelFolders
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer
from records.candidate import Candidate
from records.errors import HubUnreachableError, InfrastructureError, ModelError

WEIGHTS = "model.safetensors"
ROOT = Path(__file__).parents[2]
Fault = Callable[[HubRequest, HubResponse], HubResponse]


@dataclass
class Faulty:
    """A served hub with a fault in what it answers for the weights. `sent` counts the bytes of weights that left it."""

    url: str = ""
    fault: Fault | None = None
    sent: int = 0
    asked: int = 0

    def intercept(self, request: HubRequest, response: HubResponse) -> HubResponse:
        if not request.target.endswith(f"/{WEIGHTS}"):
            return response
        self.asked += 1
        if self.fault:
            response = self.fault(request, response)
        return replace(response, body=self._count(response.body))

    def _count(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in body:
            self.sent += len(chunk)
            yield chunk


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


@pytest.fixture
def weights(make_repository: Callable[..., Path]) -> bytes:
    """The weights of the served model, 4 MB."""
    card = {"pipeline_tag": "text-classification"}
    folder = make_repository("ann/model", card=card, config={"model_type": "bert"}, weights=False)
    save_file({"a": np.random.default_rng(0).random(1_000_000, np.float32)}, folder / WEIGHTS)
    return (folder / WEIGHTS).read_bytes()


@pytest.fixture
def hub(weights: bytes, tmp_path: Path) -> Iterator[Faulty]:
    faulty = Faulty()
    with HubServer(tmp_path / "hub", intercept=faulty.intercept) as server:
        faulty.url = server.url
        yield faulty


@pytest.fixture
def client(hub: Faulty, tmp_path: Path) -> HubClient:
    return HubClient(hub.url, tmp_path / "cache")


@pytest.fixture
def candidate(client: HubClient) -> Candidate:
    return find_model(client)


def find_model(client: HubClient) -> Candidate:
    found = client.read(client.search("model", 1)[0])
    assert found is not None
    return found


def repositories(hub: Faulty, tmp_path: Path) -> Path:
    return choose_folders(hub.url, tmp_path / "cache", None).repositories


def refuse(status: int, headers: dict[str, str], times: int) -> Fault:
    """Answer so many times with an error."""
    left = iter(range(times))
    return lambda request, good: good if next(left, None) is None else HubResponse(status, headers, 0, ())


def cut(share: float, times: int) -> Fault:
    """End the body, and the connection, before its end, so many times."""
    left = iter(range(times))

    def fault(request: HubRequest, good: HubResponse) -> HubResponse:
        if next(left, None) is None:
            return good
        content = b"".join(good.body)
        return replace(good, body=[content[: int(len(content) * share)]])

    return fault


def slow(request: HubRequest, good: HubResponse) -> HubResponse:
    """Send 64 kB every 50 ms: the 4 MB take three seconds."""

    def trickle() -> Iterator[bytes]:
        content = b"".join(good.body)
        for start in range(0, len(content), 1 << 16):
            time.sleep(0.05)
            yield content[start : start + (1 << 16)]

    return replace(good, body=trickle())


def test_a_plan_tells_files_and_sizes_without_a_request(
    client: HubClient, candidate: Candidate, hub: Faulty, weights: bytes
) -> None:
    made = client.requests
    plan = client.plan_download([candidate])
    assert client.requests == made
    assert {file.path: file.cached == file.size for file in plan.files} == {
        "config.json": True,  # read before
        "tokenizer.json": False,
        WEIGHTS: False,
    }
    assert plan.missing == len(weights) + 2
    assert plan.size == plan.missing + next(file.size for file in plan.files if file.path == "config.json")
    [disk] = plan.disks
    assert disk.size == plan.missing < disk.free
    client.download(candidate)
    assert client.plan_download([candidate]).missing == 0


def test_a_model_that_does_not_fit_is_refused_before_it_is_fetched(
    client: HubClient, candidate: Candidate, hub: Faulty
) -> None:
    sizes = {WEIGHTS: 10**18}
    huge = tuple(file.model_copy(update={"size": sizes.get(file.path, file.size)}) for file in candidate.files)
    with pytest.raises(InfrastructureError) as caught:
        client.download(candidate.model_copy(update={"files": huge}))
    assert "needs 1,000,000,000,000,000,002 bytes" in caught.value.what
    assert "free" in caught.value.what
    assert "HF_HOME" in caught.value.next_step
    for advice in ("--max-params", "--shortlist", "Make room"):
        assert advice in caught.value.next_step
    assert "--models" not in caught.value.next_step, "the shortlist is downloaded, however many vote"
    assert hub.asked == 0


def test_the_disk_of_the_models_folders_is_measured_too(
    hub: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mount_disk: Callable[[str], Path], weights: bytes
) -> None:
    """Another disk gets copies: it must hold all, however much is in the Hub's cache."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    small = mount_disk("size=1m")
    client = HubClient(cache=small)
    candidate = find_model(client)
    for asked in (0, 1):
        plan = client.plan_download([candidate])
        assert [disk.size for disk in plan.disks] == [plan.missing, plan.size]
        with pytest.raises(InfrastructureError) as caught:
            client.download(candidate)
        assert f"needs {plan.size:,} bytes, and the disk of {small}" in caught.value.what
        assert "AUTOANNOTATOR_CACHE" in caught.value.next_step
        assert hub.asked == asked
        HubClient(cache=tmp_path / "roomy").download(candidate)
    assert client.plan_download([candidate]).missing == 0
    roomy = HubClient(cache=mount_disk("size=20m"))
    assert (Path(roomy.download(candidate).folder) / WEIGHTS).read_bytes() == weights
    assert [disk.size for disk in roomy.plan_download([candidate]).disks] == [0, 0]


def test_the_configured_hub_fills_the_ordinary_cache(
    hub: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    client = HubClient(cache=tmp_path / "cache")
    candidate = find_model(client)
    model = client.download(candidate)
    assert Path(model.folder).is_relative_to(tmp_path / "cache/models/ann--model")
    made = client.requests
    ordinary = tmp_path / "home/hub"
    for name in model.sha256:
        path = hf_hub_download(
            "ann/model", name, revision=candidate.revision, cache_dir=ordinary, endpoint=hub.url, local_files_only=True
        )
        assert Path(path).resolve().samefile(Path(model.folder) / name)
    assert client.requests == made
    [found] = scan_cache_dir(ordinary).repos
    assert found.repo_id == "ann/model"
    assert not scan_cache_dir(ordinary).warnings
    assert not list(ordinary.rglob("*.incomplete"))


def test_what_the_library_downloaded_is_used(
    hub: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    client = HubClient(cache=tmp_path / "cache")
    candidate = find_model(client)
    hf_hub_download("ann/model", WEIGHTS, endpoint=hub.url, cache_dir=tmp_path / "home/hub")
    sent = hub.sent
    client.download(candidate)
    assert hub.sent == sent == len(weights)


def test_another_hub_leaves_the_ordinary_cache_alone(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path
) -> None:
    model = client.download(candidate)
    assert not (tmp_path / "home").exists()
    [own] = (tmp_path / "cache/hubs").iterdir()
    assert own.name.startswith(hub.url.removeprefix("http://").replace(":", "-"))
    assert Path(model.folder).is_relative_to(own)


def test_an_embedded_hub_has_a_cache_of_its_name(hub: Faulty, tmp_path: Path) -> None:
    client = HubClient(hub.url, tmp_path / "cache", embedded="starter")
    model = client.download(find_model(client))
    assert Path(model.folder).is_relative_to(tmp_path / "cache/hubs/starter")


def test_a_folder_holds_nothing_that_others_put_into_the_cache(
    hub: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    client = HubClient(cache=tmp_path / "cache")
    candidate = find_model(client)
    snapshot = tmp_path / "home/hub/models--ann--model/snapshots" / candidate.revision
    snapshot.mkdir(parents=True, exist_ok=True)
    (snapshot / "pytorch_model.bin").write_bytes(pickle.dumps("another program's"))
    model = client.download(candidate)
    assert {path.name for path in Path(model.folder).iterdir()} == {"config.json", "tokenizer.json", WEIGHTS}


@pytest.mark.parametrize("spoiled", ["config.json", WEIGHTS])
def test_a_cached_file_that_is_another_is_refused_and_left(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path, spoiled: str
) -> None:
    [file] = [file for file in candidate.files if file.path == spoiled]
    blob = repositories(hub, tmp_path) / "models--ann--model/blobs" / str(file.sha256 or file.blob_id)
    blob.write_bytes(b"another program's")
    with pytest.raises(InfrastructureError) as caught:
        client.download(candidate)
    assert str(blob) in caught.value.what
    assert "Delete that file" in caught.value.next_step
    assert blob.read_bytes() == b"another program's"
    assert hub.asked == 0


@pytest.mark.parametrize("times", [1, 3])
def test_a_download_that_is_cut_off_goes_on_where_it_ended(
    client: HubClient, candidate: Candidate, hub: Faulty, weights: bytes, times: int
) -> None:
    hub.fault = cut(0.5, times)
    model = client.download(candidate)
    assert (Path(model.folder) / WEIGHTS).read_bytes() == weights
    assert hub.asked == times + 1
    assert hub.sent == len(weights)


def test_a_server_that_cannot_begin_in_the_middle_sends_it_again(
    client: HubClient, candidate: Candidate, hub: Faulty, weights: bytes
) -> None:
    ends = cut(0.5, 1)

    def fault(request: HubRequest, good: HubResponse) -> HubResponse:
        return ends(request, HubResponse(HTTPStatus.OK, {}, len(weights), [weights]))

    hub.fault = fault
    model = client.download(candidate)
    assert (Path(model.folder) / WEIGHTS).read_bytes() == weights
    assert hub.sent == len(weights) + len(weights) // 2


def test_a_slow_download_tells_how_far_it_is(
    client: HubClient, candidate: Candidate, hub: Faulty, weights: bytes
) -> None:
    hub.fault = slow
    told: list[tuple[int, int]] = []
    client.download(candidate, lambda done, total: told.append((done, total)))
    size = client.plan_download([candidate]).size
    assert {total for _, total in told} == {size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (size, size)
    assert 8 <= len(told) <= 40


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_busy_hub_is_asked_again_when_it_says(hub: Faulty, tmp_path: Path, status: int, as_date: bool) -> None:
    pauses: list[tuple[float, str]] = []
    client = HubClient(hub.url, tmp_path / "cache", tell=lambda seconds, reason: pauses.append((seconds, reason)))
    candidate = find_model(client)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True)
    hub.fault = refuse(status, {"Retry-After": later if as_date else "2"}, 1)
    started = time.monotonic()
    client.download(candidate)
    assert time.monotonic() - started >= 2
    [(seconds, reason)] = pauses
    assert 2 <= seconds <= 4
    assert f"status {status}" in reason
    assert hub.asked == 2


def test_a_listing_is_asked_again_too(hub: Faulty, tmp_path: Path) -> None:
    busy = refuse(429, {"Retry-After": "0"}, 2)
    with HubServer(tmp_path / "hub", intercept=busy) as server:
        client = HubClient(server.url, tmp_path / "cache")
        assert len(client.search("model", 1)) == 1
        assert client.requests == 3


def test_patience_ends_with_the_reason(client: HubClient, candidate: Candidate, hub: Faulty) -> None:
    hub.fault = refuse(503, {"Retry-After": "0"}, 100)
    with pytest.raises(ModelError, match=f"{WEIGHTS} of ann/model at commit .* cannot be had .* status 503"):
        client.download(candidate)
    assert hub.asked == 6


def test_a_pause_beyond_patience_is_not_waited_for(client: HubClient, candidate: Candidate, hub: Faulty) -> None:
    hub.fault = refuse(429, {"Retry-After": "86400"}, 1)
    with pytest.raises(HubUnreachableError, match="status 429"):
        client.download(candidate)
    assert hub.asked == 1


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((429, "86400"), "limits how often it may be asked (status 429), and asks to wait 86,400 seconds"),
        ((429, "0"), "limits how often it may be asked (status 429), and asks for no wait."),
        ((429, "Thu, 01 Jan 2020 00:00:00 GMT"), "may be asked (status 429), and asks for no wait."),
        ((503, "86400"), "is busy (status 503), and asks to wait 86,400 seconds"),
    ],
)
def test_a_limit_is_called_one(
    client: HubClient, candidate: Candidate, hub: Faulty, refusal: tuple[int, str], said: str
) -> None:
    status, retry_after = refusal
    hub.fault = refuse(status, {"Retry-After": retry_after}, 100)
    with pytest.raises(HubUnreachableError) as caught:
        client.download(candidate)
    assert said in caught.value.what
    assert hub.url in caught.value.what
    assert "autoannotator resume" in caught.value.next_step
    assert "address" not in caught.value.next_step
    assert "HF_TOKEN" not in caught.value.next_step, "no token goes to this hub"


@pytest.mark.parametrize("token", ["", "hf_mine"])
def test_a_token_is_advised_where_it_would_be_sent_and_is_missing(
    hub: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", token)
    client = HubClient(cache=tmp_path / "cache")
    candidate = find_model(client)
    hub.fault = refuse(429, {"Retry-After": "86400"}, 1)
    with pytest.raises(HubUnreachableError) as caught:
        client.download(candidate)
    assert ("HF_TOKEN" in caught.value.next_step) is not bool(token)


def test_a_wait_is_read_from_every_form() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert read_wait({"Retry-After": "7"}, now) == 7
    assert read_wait({"Retry-After": "Thu, 01 Jan 2026 00:00:09 GMT"}, now) == 9
    assert read_wait({"Retry-After": "Thu, 01 Jan 2020 00:00:00 GMT"}, now) == 0
    assert read_wait({"ratelimit": '"api";r=0;t=55'}, now) == 55
    assert read_wait({"ratelimit": '"api";r=3;t=55'}, now) is None
    endless = "9" * 400
    assert read_wait({"Retry-After": endless}, now) == read_wait({"ratelimit": f'"api";r=0;t={endless}'}, now) == 1e9
    for other in ("", "soon", "-1", "1.2.3", "Thu, 99 Jan 2026", "Thu, 01 Jan 2026 00:00:09"):
        assert read_wait({"Retry-After": other}, now) is None


@pytest.mark.parametrize(
    "spoil", [lambda good: good[:-1] + b"!", lambda good: good + b"!" * 1000], ids=["other", "more"]
)
def test_weights_of_another_hash_are_deleted(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    def fault(request: HubRequest, good: HubResponse) -> HubResponse:
        content = spoil(b"".join(good.body))
        return replace(good, length=len(content), body=[content])

    hub.fault = fault
    with pytest.raises(ModelError, match=r"came 2 times with the hash .* The download was deleted") as caught:
        client.download(candidate)
    assert hub.asked == 2
    [file] = [file for file in candidate.files if file.path == WEIGHTS]
    assert str(file.sha256) in caught.value.what
    cache = repositories(hub, tmp_path)
    assert [path.suffix for path in cache.rglob(f"{file.sha256}*")] == [".lock"]
    assert not list((tmp_path / "cache/hubs").glob("*/models/*/*"))
    hub.fault = None
    assert client.download(candidate).sha256[WEIGHTS] == file.sha256


def test_a_configuration_of_another_hash_is_not_read(client: HubClient, tmp_path: Path) -> None:
    def spoil(request: HubRequest, good: HubResponse) -> HubResponse:
        if not request.target.endswith("/config.json"):
            return good
        content = b"".join(good.body).replace(b"bert", b"evil")
        return replace(good, body=[content])

    with HubServer(tmp_path / "hub", intercept=spoil) as server:
        other = HubClient(server.url, tmp_path / "cache")
        assert other.read(other.search("model", 1)[0]) is None
        assert not list((tmp_path / "cache/hubs").rglob("snapshots/*/config.json"))


def test_a_commit_that_vanishes_in_the_middle_is_named(client: HubClient, candidate: Candidate, hub: Faulty) -> None:
    hub.fault = refuse(404, {"X-Error-Code": "RevisionNotFound"}, 1)
    with pytest.raises(ModelError, match=f"{WEIGHTS} of ann/model at commit {candidate.revision} is not on the Hub"):
        client.download(candidate)


@pytest.mark.parametrize("revision", ["main", "", "../../../elsewhere", "A" * 40])
def test_only_a_commit_is_downloaded(client: HubClient, candidate: Candidate, revision: str) -> None:
    with pytest.raises(ModelError, match="is no commit"):
        client.download(candidate.model_copy(update={"revision": revision}))


def test_a_file_without_an_announced_hash_is_refused(client: HubClient, candidate: Candidate, hub: Faulty) -> None:
    files = tuple(file.model_copy(update={"sha256": None}) for file in candidate.files)
    with pytest.raises(ModelError, match=f"announces no hash of {WEIGHTS}"):
        client.download(candidate.model_copy(update={"files": files}))
    assert hub.asked == 0


def test_two_downloads_of_one_model_fetch_it_once(
    client: HubClient, candidate: Candidate, hub: Faulty, weights: bytes
) -> None:
    hub.fault = slow
    both = [threading.Thread(target=client.download, args=[candidate]) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert hub.sent == len(weights)
    assert client.download(candidate).sha256[WEIGHTS] == hashlib.sha256(weights).hexdigest()


def test_a_folder_that_cannot_be_written_is_named(hub: Faulty, tmp_path: Path) -> None:
    client = HubClient(hub.url, tmp_path / "cache")
    candidate = find_model(client)
    models = choose_folders(hub.url, tmp_path / "cache", None).models
    models.write_text("a file is in the way")
    with pytest.raises(InfrastructureError, match="cannot be kept on this disk") as caught:
        client.download(candidate)
    assert "AUTOANNOTATOR_CACHE" in caught.value.next_step


def test_a_killed_process_is_followed_by_one_that_goes_on(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path, weights: bytes
) -> None:
    hub.fault = slow
    program = (
        "import sys; from pathlib import Path\n"
        "from hub.client import HubClient; from records.candidate import Candidate\n"
        "HubClient(sys.argv[1], Path(sys.argv[2])).download(Candidate.model_validate_json(sys.argv[3]))"
    )
    command = [sys.executable, "-c", program, hub.url, str(tmp_path / "cache"), candidate.model_dump_json()]
    cache = repositories(hub, tmp_path)
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as first:
        while sum(path.stat().st_size for path in cache.rglob("*.incomplete")) < len(weights) // 3:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    [part] = cache.rglob("*.incomplete")
    assert len([one for one in (tmp_path / "cache").rglob("download-*") if one.is_dir()]) == 1
    kept = part.stat().st_size
    assert len(weights) // 3 <= kept < len(weights)
    assert client.plan_download([candidate]).missing == len(weights) - kept
    time.sleep(0.3)  # the server notices that nobody reads any more
    hub.fault, hub.sent = None, 0
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert hub.sent == len(weights) - kept
    left = [one for one in (tmp_path / "cache").rglob("download-*") if one.is_dir()]
    assert not left, "what the killed process had put aside is gone"
    assert client.download(candidate).sha256[WEIGHTS] == hashlib.sha256(weights).hexdigest()


def list_aside(tmp_path: Path) -> list[str]:
    return sorted(one.name for one in (tmp_path / "cache").rglob("download-*") if one.is_dir())


def test_what_a_killed_process_left_of_any_model_goes_with_the_next_download(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path
) -> None:
    models = choose_folders(hub.url, tmp_path / "cache", None).models
    blobs = repositories(hub, tmp_path) / "models--bob--other/blobs"
    old, new = models / "bob--other/download-k3j2x1", models / "bob--other/download-a1b2c3"
    for folder in (models / "bob--other" / f"download-{'a' * 40}" / "files", old, new, blobs):
        folder.mkdir(parents=True)
    begun = blobs / f"{'b' * 64}.incomplete"
    begun.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    client.download(candidate)
    assert list_aside(tmp_path) == [new.name], "of a name without a lock only its age tells"
    assert begun.read_bytes() == b"half"


@pytest.mark.parametrize("same_home", [True, False])
def test_what_another_process_builds_is_left_alone(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path, same_home: bool
) -> None:
    """Two runs share the folders of models, with one Hub's cache or with two."""
    another = candidate.model_copy(update={"repo_id": "bob/other"})
    models = ModelFolders(choose_folders(hub.url, tmp_path / "cache", None).models)
    with models.building(another) as files:
        (files / "config.json").write_text("{}")
        if not same_home:
            shutil.rmtree(repositories(hub, tmp_path))
        client.download(candidate)
        assert [path.name for path in files.iterdir()] == ["config.json"]
        models.put(files, another)
    assert list_aside(tmp_path) == []
    assert (models.place(another.slug, another.revision) / "config.json").read_text() == "{}"


def test_a_killed_process_leaves_nothing_aside_once_another_model_came(
    client: HubClient, candidate: Candidate, hub: Faulty, tmp_path: Path
) -> None:
    """The lock ends with its process, however that ended."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from hub.model_folders import ModelFolders; from records.candidate import Candidate\n"
        "with ModelFolders(Path(sys.argv[1])).building(Candidate.model_validate_json(sys.argv[2])):\n"
        "    print('here', flush=True); time.sleep(600)"
    )
    another = candidate.model_copy(update={"repo_id": "bob/other"})
    models = choose_folders(hub.url, tmp_path / "cache", None).models
    command = [sys.executable, "-c", program, str(models), another.model_dump_json()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "here\n"
        client.download(candidate)
        assert list_aside(tmp_path) == [f"download-{candidate.revision}"], "its process lives"
        first.send_signal(signal.SIGKILL)
    client.download(candidate)
    assert list_aside(tmp_path) == []
