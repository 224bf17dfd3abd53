"""What `--llm` names: the model, and the host that its requests go to. Nothing is sent from here."""

import base64
import ipaddress
import os
import urllib.parse

from records.base import Record
from records.errors import SettingsError

OFFLINE = "offline"
SHORTEST_SECRET = 8
_PUBLIC = "https://api.openai.com/v1"


class LLMTarget(Record):
    """A chat model at an OpenAI-compatible endpoint. `host` is what the person is shown before anything is sent."""

    model: str
    base_url: str

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def endpoint(self) -> str:
        """The base URL without a name, a password or a query: what may be shown and written down."""
        parts = urllib.parse.urlsplit(self.base_url)
        return urllib.parse.urlunsplit((parts.scheme, self.host, parts.path.rstrip("/"), "", ""))

    @property
    def is_loopback(self) -> bool:
        name = urllib.parse.urlsplit(self.base_url).hostname or ""
        try:
            return name == "localhost" or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


class Terms(Record):
    """How an endpoint may be asked; the fields of `records.settings.Settings` by these names say what they mean."""

    concurrency: int = 4
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 120.0
    patience: float = 1800.0
    price: tuple[float, float] | None = None
    budget: float | None = None
    batch_api: bool = False
    poll: float = 30.0
    """Seconds between two looks whether a batch has ended."""
    first_wait: float = 0.5
    """Seconds before a second try; those before later ones grow."""
    first_pause: float = 5.0
    """Seconds for which an endpoint that fails again and again is left alone at first."""


def describe_llm(llm: str) -> LLMTarget | None:
    """Return what `--llm` names, with the endpoint of OPENAI_BASE_URL; None for `offline`.

    Raises SettingsError where it names nothing that is known.
    """
    if llm == OFFLINE:
        return None
    provider, _, model = llm.partition(":")
    if provider != "openai" or not model.strip():
        raise SettingsError(
            f"--llm {llm!r} is not known; allowed are offline and openai:MODEL",
            next_step="Give --llm openai:MODEL, with OPENAI_BASE_URL for a server of your own, or --llm offline.",
        )
    base_url = os.environ.get("OPENAI_BASE_URL") or _PUBLIC
    parts = urllib.parse.urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            f"OPENAI_BASE_URL is {base_url.rpartition('@')[2]!r}, which is no http or https address",
            next_step="Set it to the server's address with its version, such as http://localhost:8000/v1",
        )
    return LLMTarget(model=model.strip(), base_url=base_url)


def find_api_key(target: LLMTarget) -> str:
    """Return the key of OPENAI_API_KEY; a server on this machine needs none.

    Raises SettingsError where one is needed and not set, and where it cannot be one.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip() or ("none" if target.is_loopback else "")
    if not (key.isascii() and key.isprintable()):
        raise SettingsError(
            "OPENAI_API_KEY holds characters that no key has, such as a line break or a typographic quotation mark",
            next_step="Set it to the key alone.",
        )
    if not key:
        raise SettingsError(
            f"OPENAI_API_KEY is not set, and {target.host} may ask for one",
            next_step="Set OPENAI_API_KEY (any word, where the server asks for none).",
        )
    return key


def find_secrets(target: LLMTarget) -> tuple[str, ...]:
    """Return what must never be written down or shown, in every form in which it is sent.

    A key of fewer than 8 characters is no secret: servers of one's own take any word, and hiding "none" or "x" would
    tear holes into replies.
    """
    parts = urllib.parse.urlsplit(target.base_url)
    name, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    pair = f"{name}:{password}"
    basic = base64.b64encode(pair.encode()).decode()
    shapes = (os.environ.get("OPENAI_API_KEY", "").strip(), basic, pair, password, parts.password or "")
    return tuple(shape for shape in shapes if len(shape) >= SHORTEST_SECRET)
