"""The decision core: pure functions over arrays. No LLM, no network, no sandbox, no files."""
