"""Hand back a program with the setuid bit, that everybody may write to."""

import os
from pathlib import Path

print("trying", flush=True)
Path("out/answer").write_text("text")
os.chmod("out/answer", 0o6777)
