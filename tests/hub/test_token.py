"""A token goes to the origin of HF_ENDPOINT and to nobody else, whoever sends the client on. All servers are real."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hub.client import HubClient
from hub.library import is_configured_hub, silence_hub_library
from hub.responses import HubRequest, HubResponse
from hub.server import HubServer
from records.candidate import Candidate

SECRET = "hf_secret"  # noqa: S105 (no secret of anybody)
ROOT = Path(__file__).parents[2]


@dataclass
class Hub:
    """A served hub that notes who showed it which credentials, and can send a path's requests to another hub."""

    url: str = ""
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def intercept(self, request: HubRequest, response: HubResponse) -> HubResponse:
        self.seen.append((request.target, request.headers.get("authorization")))
        for part, other in self.redirects.items():
            if part in request.target:
                return HubResponse(HTTPStatus.FOUND, {"Location": other + request.target}, 0, ())
        for part, other in self.links.items():
            if part in request.target:
                link = {"Link": f'<{other}/api/models>; rel="next"'}
                return HubResponse(response.status, {**response.headers, **link}, response.length, response.body)
        return response

    @property
    def credentials(self) -> set[str | None]:
        return {shown for _, shown in self.seen}


@pytest.fixture
def hubs(make_repository: Callable[..., Path], tmp_path: Path) -> Iterator[tuple[Hub, Hub]]:
    """Two hubs with the same model, on two ports of one host."""
    make_repository("ann/model", card={"pipeline_tag": "text-classification"}, config={"model_type": "bert"})
    with ExitStack() as stack:
        found = (Hub(), Hub())
        for hub in found:
            hub.url = stack.enter_context(HubServer(tmp_path / "hub", intercept=hub.intercept)).url
        yield found


@pytest.fixture(autouse=True)
def environment(hubs: tuple[Hub, Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person has a token and has configured the first hub."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", hubs[0].url)


def use(client: HubClient) -> Candidate:
    """Search, read and download the model."""
    [listed] = client.search("model", 1)
    found = client.read(listed)
    assert found is not None
    client.download(found)
    return found


def test_the_configured_hub_sees_the_token(hubs: tuple[Hub, Hub], tmp_path: Path) -> None:
    first, _ = hubs
    use(HubClient(cache=tmp_path / "cache"))
    assert len(first.seen) == 6
    assert first.credentials == {f"Bearer {SECRET}"}


def test_the_configured_hub_named_again_sees_it_too(hubs: tuple[Hub, Hub], tmp_path: Path) -> None:
    first, _ = hubs
    use(HubClient(first.url + "/", tmp_path / "cache"))
    assert first.credentials == {f"Bearer {SECRET}"}


def test_another_hub_sees_none(hubs: tuple[Hub, Hub], tmp_path: Path) -> None:
    first, second = hubs
    use(HubClient(second.url, tmp_path / "cache"))
    assert len(second.seen) == 6
    assert second.credentials == {None}
    assert first.seen == []


@pytest.mark.parametrize("part", ["/resolve/", "model.safetensors", "/api/models?", "/api/models/"])
def test_a_redirect_to_another_origin_drops_it(hubs: tuple[Hub, Hub], tmp_path: Path, part: str) -> None:
    first, second = hubs
    first.redirects[part] = second.url
    client = HubClient(cache=tmp_path / "cache")
    use(client)
    assert first.credentials == {f"Bearer {SECRET}"}
    assert second.seen
    assert second.credentials == {None}
    assert client.requests == len(first.seen) + len(second.seen)


def test_a_redirect_back_home_does_not_bring_it_to_another_hub(hubs: tuple[Hub, Hub], tmp_path: Path) -> None:
    first, second = hubs
    second.redirects["/resolve/"] = first.url
    use(HubClient(second.url, tmp_path / "cache"))
    assert first.seen
    assert first.credentials == second.credentials == {None}


def test_the_library_s_own_next_page_drops_it(hubs: tuple[Hub, Hub]) -> None:
    first, second = hubs
    first.links["/api/models"] = second.url
    silence_hub_library()
    assert len(list(HfApi(endpoint=first.url).list_models())) == 2
    assert first.credentials == {f"Bearer {SECRET}"}
    assert second.credentials == {None}


def test_a_stored_token_is_treated_alike(hubs: tuple[Hub, Hub], tmp_path: Path) -> None:
    first, second = hubs
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text("hf_stored")
    program = (
        "import sys; from pathlib import Path; from hub.client import HubClient\n"
        "for endpoint in sys.argv[1:]: HubClient(endpoint, Path('cache')).search('model', 1)"
    )
    kept = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    command = [sys.executable, "-c", program, first.url, second.url]
    subprocess.run(command, env={**kept, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, check=True)
    assert first.credentials == {"Bearer hf_stored"}
    assert second.credentials == {None}


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("https://huggingface.co", True),
        ("https://huggingface.co:443/x", True),
        ("https://HuggingFace.co", True),
        ("http://huggingface.co", False),
        ("http://huggingface.co:443", False),
        ("https://huggingface.co:8443", False),
        ("https://hf.co", False),
        ("https://hub-ci.huggingface.co", False),
        ("https://huggingface.co.example", False),
        ("https://huggingface.co@example", False),
        ("https://[::", False),
        ("huggingface.co", False),
        ("", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(address: str, same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    assert is_configured_hub(address) is same
