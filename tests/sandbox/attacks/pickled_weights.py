"""Load weights that a stranger uploaded as a pickle, and that run code."""

import contextlib
import pickle
from pathlib import Path

print("trying", flush=True)
with contextlib.suppress(OSError):
    pickle.loads(Path("in/model/pytorch_model.bin").read_bytes())
