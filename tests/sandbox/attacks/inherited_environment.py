"""Read what the host had in its environment."""
# ruff: noqa: T201

import os
import re

print("trying", flush=True)
print(*re.findall("planted-[0-9a-f]+", str(os.environ)))
