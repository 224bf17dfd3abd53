"""Jinja templates of the generated scripts and of the report, and the one renderer."""
