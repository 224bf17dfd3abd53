"""Data files in, `input.parquet` out. A module a format family; each reads a part of the file at a time."""
