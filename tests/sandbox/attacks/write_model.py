"""Change the model: write over its weights, swap them, add code that a loader would run."""

import contextlib
import os
from pathlib import Path

MODEL = Path("in/model")

print("trying", flush=True)
Path("out/poisoned").write_text("poisoned")
ways = (
    lambda: MODEL.chmod(0o777),
    lambda: MODEL.joinpath("model.safetensors").write_text("poisoned"),
    lambda: MODEL.joinpath("modeling_evil.py").write_text("import os"),
    lambda: os.replace("out/poisoned", MODEL / "model.safetensors"),
    lambda: os.link("out/poisoned", MODEL / "adapter_model.safetensors"),
    lambda: os.rename(MODEL / "config.json", MODEL / "old.json"),
)
for way in ways:
    with contextlib.suppress(OSError):
        way()
