import pytest

from agents.target import describe_llm, find_api_key
from records.errors import SettingsError


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_offline_names_no_target() -> None:
    assert describe_llm("offline") is None


def test_the_public_endpoint_is_named_where_no_other_is_set() -> None:
    target = describe_llm("openai:gpt-4.1-mini")
    assert target is not None
    assert (target.model, target.host, target.is_loopback) == ("gpt-4.1-mini", "api.openai.com", False)


@pytest.mark.parametrize(
    ("url", "host", "loopback"),
    [
        ("http://localhost:8000/v1", "localhost:8000", True),
        ("http://127.0.0.1:9/v1", "127.0.0.1:9", True),
        ("http://[::1]:9/v1", "[::1]:9", True),
        ("https://user:secret@models.example.org/v1", "models.example.org", False),
        ("http://127.0.0.1.example.org/v1", "127.0.0.1.example.org", False),
    ],
)
def test_the_host_is_the_one_that_requests_go_to(monkeypatch, url: str, host: str, loopback: bool) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    target = describe_llm("openai:org/model:tag")
    assert target is not None
    assert (target.model, target.host, target.is_loopback) == ("org/model:tag", host, loopback)


@pytest.mark.parametrize("llm", ["openai", "openai:", "gpt-4", "anthropic:x", ""])
def test_an_unknown_llm_names_what_is_allowed(llm: str) -> None:
    with pytest.raises(SettingsError, match="openai:MODEL"):
        describe_llm(llm)


def test_a_wrong_address_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL"):
        describe_llm("openai:m")


def test_only_a_server_on_this_machine_needs_no_key(monkeypatch) -> None:
    public = describe_llm("openai:m")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    own = describe_llm("openai:m")
    assert public is not None
    assert own is not None
    assert find_api_key(own) == "none"
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        find_api_key(public)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert find_api_key(public) == find_api_key(own) == "sk-1"
