"""Hand back a file of one terabyte that holds nothing."""

import os

print("trying", flush=True)
descriptor = os.open("out/answer", os.O_CREAT | os.O_WRONLY)
os.truncate(descriptor, 2**40)
