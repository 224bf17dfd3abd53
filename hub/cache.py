"""Says where downloads are kept."""

import os
from pathlib import Path

CACHE_VARIABLE = "AUTOANNOTATOR_CACHE"


def default_cache() -> Path:
    """Return the folder for downloads: `$AUTOANNOTATOR_CACHE`, else `~/.cache/autoannotator`."""
    configured = os.environ.get(CACHE_VARIABLE)
    return Path(configured) if configured else Path.home() / ".cache" / "autoannotator"
