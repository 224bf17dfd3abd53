"""Benchmarks, and a small licensed sample of real texts in `bench/data/`."""
