"""Print bytes that are no text."""

import os

for stream in (1, 2):
    os.write(stream, b"trying \xff\xfe\xc0\xaf\xed\xa0\x80 \xf8\x88\x80\x80\x80")
