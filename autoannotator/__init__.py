"""The front door: command line, Python API, settings, and the wiring of a run."""

from autoannotator.api import Run, annotate, open_run

__all__ = ["Run", "annotate", "open_run"]
