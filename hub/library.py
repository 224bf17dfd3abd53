"""Sets the Hub's client library as this program uses it: which endpoint, whose token, no reports, no bars."""

import functools
import os
from urllib.parse import urlsplit

from httpx2 import Client, Request
from huggingface_hub import constants, get_token
from huggingface_hub.utils import disable_progress_bars, logging, set_client_factory
from huggingface_hub.utils._http import default_client_factory, hf_request_event_hook

PUBLIC_HUB = "https://huggingface.co"
EMBEDDED = "autoannotator-embedded"
"""Set in a request's `extensions`: it goes to a hub that runs inside this program."""
COUNTED = "autoannotator-counted"
"""A function in a request's `extensions`: it is called before every request, redirects too, and may forbid it."""
_PORTS = {"http": 80, "https": 443}


def configured_endpoint() -> str:
    """Return the Hub's address where none is named: `$HF_ENDPOINT`, else the public Hub."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def is_offline() -> bool:
    """Whether `$HF_HUB_OFFLINE` (or `$TRANSFORMERS_OFFLINE`) forbids every request, as read now."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in ("1", "ON", "YES", "TRUE")


def is_configured_hub(url: str) -> bool:
    """Whether an address has the origin (scheme, host and port) of the configured endpoint: no other gets the token."""
    origin = _read_origin(url)
    return origin is not None and origin == _read_origin(configured_endpoint())


@functools.cache
def silence_hub_library() -> None:
    """Turn off telemetry, progress bars and retry warnings, and keep the token at home, once for this process.

    With telemetry on, the library asks the public Hub which program calls it, whatever endpoint it is used with.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True
    disable_progress_bars()
    logging.set_verbosity_error()
    set_client_factory(_make_http_client)


def _make_http_client() -> Client:
    """Return the library's own client, with our hooks: they see redirects and next pages too."""
    client = default_client_factory()
    client.event_hooks = {"request": [_stay_offline, _count, _keep_token_home]}
    return client


def _stay_offline(request: Request) -> None:
    """Forbid what the library forbids offline, but for a hub inside this program: no network is needed for that."""
    if not request.extensions.get(EMBEDDED):
        hf_request_event_hook(request)


def _count(request: Request) -> None:
    if count := request.extensions.get(COUNTED):
        count()


def _keep_token_home(request: Request) -> None:
    """Take the person's token off a request to another origin, whatever led there.

    The library itself sends it along to further addresses: to the next page of a list, to any of the public Hub's
    hosts, and from http to https. A token that was named for one request only is none of ours.
    """
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if shown and not is_configured_hub(str(request.url)) and shown == get_token():
        del request.headers["Authorization"]


def _read_origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port, or None where the text is no address on the web."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname.lower(), port) if parts.hostname and port else None
