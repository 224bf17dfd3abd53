"""Says where downloads are kept, and tells a file's content by its sha256."""

import hashlib
import os
from pathlib import Path

CACHE_VARIABLE = "AUTOANNOTATOR_CACHE"


def default_cache() -> Path:
    """Return the folder for downloads: `$AUTOANNOTATOR_CACHE`, else `~/.cache/autoannotator`."""
    configured = os.environ.get(CACHE_VARIABLE)
    return Path(configured) if configured else Path.home() / ".cache" / "autoannotator"


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
