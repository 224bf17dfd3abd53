"""Sets the Hub's client library as this program uses it: which endpoint, no reports to anybody, no bars."""

import os

from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars, logging

PUBLIC_HUB = "https://huggingface.co"


def configured_endpoint() -> str:
    """Return the Hub's address where none is named: `$HF_ENDPOINT`, else the public Hub."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def silence_hub_library() -> None:
    """Turn off telemetry, progress bars and retry warnings.

    With telemetry on, the library asks the public Hub which program calls it, whatever endpoint it is used with.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True
    disable_progress_bars()
    logging.set_verbosity_error()
