"""Benchmarks, one module each behind one command, and a small licensed sample of real texts in `bench/data/`."""
