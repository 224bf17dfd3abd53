"""Opens the Hub that a person names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.cache import default_cache
from hub.client import HubClient
from hub.starter_hub import open_starter_hub
from records.errors import SettingsError

STARTER = "starter"


@contextmanager
def open_hub(
    hub: str, announce: Callable[[str], None], tell_pause: Callable[[float, str], None]
) -> Iterator[HubClient]:
    """Yield the client of a Hub by its URL, of `starter`, which is built and served while the block runs, or (empty)
    of `HF_ENDPOINT`, else the public Hub.

    `announce` is told of a download that comes first, and `tell_pause` of every long pause that the Hub asks for.
    Raises SettingsError where the folder for downloads cannot be made, and InfrastructureError as the starter hub does.
    """
    cache = _make_cache()
    if hub != STARTER:
        yield HubClient(hub or None, cache, tell=tell_pause)
        return
    with open_starter_hub(cache, announce) as endpoint:
        yield HubClient(endpoint, cache, embedded=STARTER)


def _make_cache() -> Path:
    """Return the folder for downloads, made where it is not there. Raises SettingsError where it cannot be."""
    cache = default_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the folder for downloads {cache} cannot be made: {error.strerror}",
            next_step="Set AUTOANNOTATOR_CACHE to a folder that you may write to.",
        ) from error
    return cache
