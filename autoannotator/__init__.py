"""The front door: command line, Python API, settings, and the wiring of a run."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoannotator.api import Run, annotate, open_run

__all__ = ["Run", "annotate", "open_run"]


def __getattr__(name: str) -> object:
    """Import the API when it is first asked for: the command line answers `--help` without it."""
    if name in __all__:
        return getattr(import_module("autoannotator.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
