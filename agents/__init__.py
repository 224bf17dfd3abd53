"""The meta-controller layer: one file an LLM role, its prompts in `agents/prompts/<role>/`."""
