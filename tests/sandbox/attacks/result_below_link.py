"""Hand back a file of the host by a link in the place of a folder: `FOLDER`."""

import os
import sys

print("trying", flush=True)
os.symlink(sys.argv[1], "out/model")
