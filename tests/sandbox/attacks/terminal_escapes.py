"""Print what a terminal obeys: clear, retitle, move the cursor, answer back; and carriage returns that hide."""

import os

for stream in (1, 2):
    os.write(stream, b"trying\x1b]0;owned\x07\x1b[2J\x1b[1;1H\x9b31m\xc2\x9b6n\x1bP$q\x1b\\ failed\rpassed\x08\x08\x7f")
