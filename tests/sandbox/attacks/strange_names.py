"""Leave files whose names are no text, break lines, are as long as can be, and folders too deep for a path."""

import os

print("trying", flush=True)
for name in (b"\xff\xfe", b"two\nlines", b"\x1b[2J", b"n" * 255, b" ", b"-rf", b"*", b"a'b\"c"):
    os.close(os.open(b"out/" + name, os.O_CREAT | os.O_WRONLY, 0))
os.chdir("out")
for _ in range(1200):
    os.mkdir("deeper")
    os.chdir("deeper")
