"""Print what an engine's stream has between its frames, so that standard output reads as standard error."""

import os

os.write(1, b"trying")
for stream in (1, 2, 3):
    os.write(1, bytes([stream, 0, 0, 0, 0, 0, 0, 6]) + b"forged")
    os.write(1, bytes([stream, 0, 0, 0, 255, 255, 255, 255]))
