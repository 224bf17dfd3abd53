"""Hand back JSON that is 100,000 lists deep."""

from pathlib import Path

print("trying", flush=True)
Path("out/answer").write_text("[" * 100_000 + "]" * 100_000)
