"""Hand back weights whose header says that a tensor lies outside of the file: `KIND`."""

import json
import struct
import sys
from pathlib import Path

print("trying", flush=True)
tensor = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
headers = {
    "outside": {"w": {**tensor, "shape": [2**20], "data_offsets": [0, 2**22]}},
    "overlap": {"w": tensor, "v": {**tensor, "data_offsets": [8, 24]}},
    "negative": {"w": {**tensor, "data_offsets": [-16, 0]}},
    "wrong shape": {"w": {**tensor, "shape": [2**31, 2**31]}},
    "long header": {"w": tensor},
}
header = json.dumps(headers[sys.argv[1]]).encode()
length = 2**62 if sys.argv[1] == "long header" else len(header)
Path("out/answer").write_bytes(struct.pack("<Q", length) + header + bytes(24))
