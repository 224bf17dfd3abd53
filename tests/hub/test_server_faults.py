"""Each fault as the unmodified client meets it: what the program has to live with is real, not imagined."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub.library import silence_hub_library
from hub.server import HubServer, ServedRequest
from tests.hub import faulty
from tests.hub.hubs import MODELS, TWEETS, model, write_folder

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    silence_hub_library()
    return write_folder(tmp_path / "hub", [*MODELS[:2], model("big/one", parameters=3_000_000)])


@pytest.fixture
def content(folder: Path) -> bytes:
    return (folder / "big/one" / WEIGHTS).read_bytes()


@contextmanager
def serving(folder: Path, fault: faulty.Intercept) -> Iterator[tuple[HfApi, list[ServedRequest]]]:
    served: list[ServedRequest] = []
    with HubServer(folder, on_request=served.append, intercept=fault) as server:
        yield HfApi(endpoint=server.url, token=False), served


def fetch(api: HfApi, cache: Path, revision: str | None = None) -> bytes:
    return Path(api.hf_hub_download("big/one", WEIGHTS, revision=revision, cache_dir=cache)).read_bytes()


def statuses(served: list[ServedRequest], method: str = "GET") -> list[int]:
    return [request.status for request in served if request.method == method]


def test_too_many_requests_end(folder: Path) -> None:
    with serving(folder, faulty.too_many("/api/models", times=1, retry_after=7)) as (api, served):
        assert httpx2.get(f"{api.endpoint}/api/models").headers["Retry-After"] == "7"
        assert len(list(api.list_models())) == 3
        assert statuses(served) == [429, 200]


def test_the_client_waits_out_a_429_and_a_503(folder: Path, tmp_path: Path, content: bytes) -> None:
    fault = faulty.in_turn(faulty.too_many("/api/models", times=1), faulty.server_error("/api/models", times=1))
    with serving(folder, fault) as (api, served):
        assert len(list(api.list_models())) == 3
        assert 200 not in statuses(served)[:1]
        assert statuses(served)[-1] == 200
        assert fetch(api, tmp_path / "cache") == content


def test_a_server_error_that_stays_is_an_error(folder: Path) -> None:
    with (
        serving(folder, faulty.server_error("/api/models", status=500)) as (api, _),
        pytest.raises(HfHubHTTPError, match="500"),
    ):
        api.model_info(TWEETS)


def test_a_broken_download_is_taken_up_where_it_broke(folder: Path, tmp_path: Path, content: bytes) -> None:
    with serving(folder, faulty.break_after(WEIGHTS, 11_000_000, times=1)) as (api, served):
        assert fetch(api, tmp_path / "cache") == content
        assert statuses(served) == [200, 206]  # the client keeps whole pieces of 10 MB only


def test_a_slow_download_takes_its_time(folder: Path, tmp_path: Path, content: bytes) -> None:
    with serving(folder, faulty.slow(WEIGHTS, len(content) * 2)) as (api, _):
        began = time.monotonic()
        assert fetch(api, tmp_path / "cache") == content
        assert time.monotonic() - began > 0.4


def test_wrong_content_has_the_announced_size_and_another_hash(folder: Path, tmp_path: Path, content: bytes) -> None:
    with serving(folder, faulty.wrong_content(WEIGHTS)) as (api, _):
        info = api.model_info("big/one", files_metadata=True)
        [announced] = [file.lfs for file in info.siblings or [] if file.lfs]
        got = fetch(api, tmp_path / "cache")
        assert announced.sha256 == hashlib.sha256(content).hexdigest() != hashlib.sha256(got).hexdigest()
        assert len(got) == announced.size


def test_content_that_is_cut_short_fails_by_its_size(folder: Path, tmp_path: Path) -> None:
    with (
        serving(folder, faulty.cut_short(WEIGHTS, 1000)) as (api, _),
        pytest.raises(OSError, match="should be of size"),
    ):
        fetch(api, tmp_path / "cache")


def test_a_redirect_to_another_origin_gets_no_token(
    folder: Path, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere: list[ServedRequest] = []
    served: list[ServedRequest] = []
    with (
        HubServer(folder, on_request=elsewhere.append) as store,
        HubServer(folder, on_request=served.append, intercept=faulty.redirect(WEIGHTS, store.url)) as server,
    ):
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        api = HfApi(endpoint=server.url, token="hf_secret")
        assert fetch(api, tmp_path / "cache") == content
        assert {request.authorised for request in served} == {True}
        assert 302 in [request.status for request in served]
        assert statuses(elsewhere) == [200]
        assert {request.authorised for request in elsewhere} == {False}


def test_a_repository_disappears(folder: Path, tmp_path: Path) -> None:
    with serving(folder, faulty.vanish("big/one", after=1)) as (api, _):
        assert api.model_info("big/one").sha
        with pytest.raises(RepositoryNotFoundError):
            fetch(api, tmp_path / "cache")
        assert api.model_info(TWEETS).sha


def test_a_revision_disappears(folder: Path, tmp_path: Path) -> None:
    with serving(folder, faulty.vanish("big/one", after=1, code="RevisionNotFound")) as (api, _):
        pinned = api.model_info("big/one").sha
        with pytest.raises(RevisionNotFoundError):
            fetch(api, tmp_path / "cache", revision=pinned)


def test_a_client_that_leaves_is_no_error_of_the_server(
    folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    with serving(folder, faulty.slow(WEIGHTS, 100_000, times=1)) as (api, _):
        with httpx2.stream("GET", f"{api.endpoint}/big/one/resolve/main/{WEIGHTS}") as answer:
            assert answer.status_code == 200
        assert fetch(api, tmp_path / "cache") == content
        time.sleep(0.5)  # for the server's thread to find out
    assert "Traceback" not in capfd.readouterr().err
