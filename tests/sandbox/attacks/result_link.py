"""Hand back a link to a file of the host: `PATH`."""

import os
import sys

print("trying", flush=True)
os.symlink(sys.argv[1], "out/answer")
