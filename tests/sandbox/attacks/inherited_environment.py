"""Read what the host had in its environment."""

import os
import re

print("trying", flush=True)
print(*re.findall("planted-[0-9a-f]+", str(os.environ)))
