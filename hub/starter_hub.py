"""Opens the starter hub: the package's own specialists, made into ordinary repositories and served over loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.encoder import fetch_encoder
from hub.server import HubServer
from hub.starter.build import build_starter_hub


@contextmanager
def open_starter_hub(cache: Path, announce: Callable[[str], None]) -> Iterator[str]:
    """Yield the endpoint of the starter hub, served on a free loopback port while the block runs.

    The encoder is fetched once into `cache`, after `announce` has been told; the built repositories are kept there too.
    Raises InfrastructureError as `fetch_encoder` and `build_starter_hub` do.
    """
    encoder = fetch_encoder(cache, announce)
    with HubServer(build_starter_hub(encoder, cache / "starter")) as server:
        yield server.url
