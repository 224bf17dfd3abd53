"""The front door: command line, Python API, settings, and the wiring of a run."""
